/** Jupyter counts Unicode code points, JavaScript counts UTF-16 units. */

/** Units before code point `points` of `text`. */
export function toUnits(text: string, points: number): number {
  let units = 0;
  for (let i = 0; i < points && units < text.length; i++) units += text.codePointAt(units)! > 0xffff ? 2 : 1;
  return units;
}

/** Code points in the first `units` of `text`. */
export function toPoints(text: string, units: number): number {
  let points = 0;
  for (let at = 0; at < units; points++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return points;
}
