/** How values are written in the cells of a table. */

/** Whether a column holds numbers, and nothing but numbers and absent values. */
export function isNumeric(values: readonly unknown[]): boolean {
  let found = false;
  for (const value of values) {
    if (value === null || value === undefined) continue;
    if (typeof value !== "number" && typeof value !== "bigint") return false;
    found = true;
  }
  return found;
}

/** The texts of a column's cells: numbers with as many decimals as the column needs, at most `digits`. */
export function cellTexts(values: readonly unknown[], digits = 4): string[] {
  const numbers = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  const needed = Math.max(0, ...numbers.map((value) => decimals(value, digits)));
  return values.map((value) => {
    if (value === null || value === undefined) return "–";
    if (typeof value === "number") return numberText(value, needed);
    return value instanceof Date ? value.toISOString() : String(value);
  });
}

function numberText(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞");
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 0.5 * 10 ** -decimals)) return value.toExponential(2);
  return size >= 1000 && Number.isInteger(value) ? String(value) : value.toFixed(decimals);
}

/** The decimals a number needs, at most `most`. */
function decimals(value: number, most: number): number {
  for (let count = 0; count < most; count++) {
    if (Math.abs(Number(value.toFixed(count)) - value) < 10 ** -(most + 2)) return count;
  }
  return most;
}
