/** Draws small pictures of shapes. */
import type { Rng } from "../../engine/random.ts";

/** How far a point is from the inside of a shape of radius 1 about the origin; negative inside. */
type Distance = (x: number, y: number) => number;

const { abs, hypot, max, min } = Math;
const bar: Distance = (x, y) => max(abs(x) - 1, abs(y) - 0.3);

/** The shapes by name. */
export const shapes = {
  disk: (x, y) => hypot(x, y) - 0.8,
  square: (x, y) => max(abs(x), abs(y)) - 0.7,
  triangle: (x, y) => max(0.87 * abs(x) + 0.5 * y, -y) - 0.45,
  ring: (x, y) => abs(hypot(x, y) - 0.65) - 0.2,
  cross: (x, y) => min(bar(x, y), bar(y, x)),
  bar,
} satisfies Record<string, Distance>;

/** The name of a shape. */
export type ShapeName = keyof typeof shapes;

/** What a picture looks like. */
export interface Factors {
  readonly light: number;
  readonly background: number;
  readonly scale: number;
  readonly angle: number;
  readonly clutter: number;
  readonly noise: number;
}

/** Draws one shape somewhere in a square picture of bytes, with soft edges of about a pixel. */
export function scene(name: ShapeName, factors: Factors, size: number, rng: Rng, out: Uint8Array): void {
  const radius = 0.5 * size * factors.scale * (0.9 + 0.2 * rng.uniform());
  const room = Math.max(0, size / 2 - radius);
  const [middleX, middleY] = [0, 0].map(() => size / 2 + room * (2 * rng.uniform() - 1)) as [number, number];
  const angle = ((factors.angle + 20 * rng.uniform() - 10) * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const inside: Distance = shapes[name];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [dx, dy] = [(x + 0.5 - middleX) / radius, (y + 0.5 - middleY) / radius];
      const cover = min(1, max(0, 0.5 - radius * inside(cos * dx - sin * dy, sin * dx + cos * dy)));
      const value = factors.background + cover * (factors.light - factors.background) + factors.noise * rng.normal();
      out[y * size + x] = 255 * min(1, max(0, value)) + 0.5;
    }
  }
  for (let i = 0; i < Math.round(factors.clutter); i++)
    out[rng.int(size * size)] = 255 * min(1, max(0, factors.light)) + 0.5;
}
