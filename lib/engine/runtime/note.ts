/** The line that says once where programs run, when the first of them is compiled. */

let pending: (() => string) | null = null;

/** What the line says; asked for when it is written. */
export function noteOnce(text: () => string): void {
  pending = text;
}

/** Writes the line to standard error, if nobody has yet. Tests hear nothing, nor does who sets THALWEG_QUIET. */
export function writeNote(): void {
  if (pending === null) return;
  const text = pending();
  pending = null;
  if (!process.env.THALWEG_QUIET && !process.env.VITEST) console.error(text);
}
