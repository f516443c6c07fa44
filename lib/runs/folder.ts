/** Where runs are recorded. */

/** The folder of records where nothing else is said. */
const usual = "runs";

/**
 * The folder that runs are recorded in, or undefined when they are not.
 *
 * What the caller says counts first: a folder, `true` for the usual one, `false` for none. Then the variable THALWEG_RUNS: a folder, or
 * "off". Then the place: in a notebook runs are recorded in `runs` beside it, elsewhere they are not.
 */
export function recordFolder(record?: boolean | string): string | undefined {
  if (record === false) return undefined;
  if (typeof record === "string") return record;
  const said = process.env.THALWEG_RUNS;
  if (said !== undefined && said !== "" && said !== "off") return said;
  if (record === true) return usual;
  return said !== "off" && Symbol.for("Jupyter.display") in globalThis ? usual : undefined;
}
