/** Layers that make sound of what a network says of it: oscillators, filtered noise, rooms. */
// Written by `npm run gen`.
export * from "./filtered-noise.ts";
export * from "./harmonic-oscillator.ts";
export * from "./reverb.ts";
