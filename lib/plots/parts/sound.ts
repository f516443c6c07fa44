/** What goes into attributes of a picture is checked before: colours are colours, sizes are numbers. */
import { isColour } from "./colour.ts";

const colours = new Set(["color", "fillcolor"]);
const numbers = new Set([
  "width",
  "height",
  "size",
  "opacity",
  "xgap",
  "ygap",
  "thickness",
  "dtick",
  "bargap",
  "zmin",
  "zmax",
]);

/** Throws when a colour is no colour or a size no number, anywhere in a figure's JSON. */
export function requireSound(value: unknown, key = ""): void {
  if (typeof value === "string") {
    if (colours.has(key) && !isColour(value)) {
      throw new TypeError(
        `figure: a colour is required for ${key}, got "${value}"; write it as #0072b2, rgba(0,114,178,0.2) or a CSS name`,
      );
    }
    if (numbers.has(key)) throw new TypeError(`figure: a number is required for ${key}, got "${value}"`);
  } else if (Array.isArray(value)) {
    if (typeof value[0] === "number" && !numbers.has(key)) return;
    for (const inner of value) requireSound(inner, key);
  } else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    for (const [name, inner] of Object.entries(value)) requireSound(inner, name);
  }
}
