/** Two streams side by side: one numbering of tasks and columns for both. */
import { relabelled } from "../../data/dataset.ts";
import type { Changed, Stream } from "../stream.ts";
import { relabelOf, retabled } from "./tables.ts";
import { needTarget } from "./target.ts";

/** How the columns of two streams meet: the same classes, or classes of their own, one after the other. */
export interface PairOptions {
  /** "shared", or "own"; default shared where the classes have the same names. */
  readonly columns?: "shared" | "own";
}

/** A second stream made to fit a first: what it gives, in the first's columns. */
export interface Fitted {
  readonly classes: readonly string[];
  readonly parts: Changed & Pick<Stream, "experience">;
}

/**
 * Makes the second of two streams fit the first.
 *
 * @throws TypeError when kinds, shapes, heads or targets differ, or the second does not tell what the first tells.
 */
export function fitted(name: string, first: Stream, second: Stream, { columns }: PairOptions): Fitted {
  for (const key of ["kind", "head", "target"] as const)
    if (first[key] !== second[key])
      throw new TypeError(`${name}: two streams of one ${key} are required, got ${first[key]} and ${second[key]}`);
  if (String(first.shape) !== String(second.shape))
    throw new TypeError(`${name}: examples of one shape are required, got [${first.shape}] and [${second.shape}]`);
  for (const fact of first.facts)
    if (!second.facts.includes(fact) && fact !== "length")
      throw new TypeError(
        `${name}: a second stream that tells "${fact}" is required; withhold("${fact}") from the first, or tell it`,
      );
  const same = first.classes.join("\n") === second.classes.join("\n");
  if (columns === undefined && !same && [...first.classes].sort().join("\n") === [...second.classes].sort().join("\n"))
    throw new TypeError(
      `${name}: the same classes in one order, or { columns }, are required, got ${first.classes.join(", ")} and ${second.classes.join(", ")}; give the second stream the order of the first, or say { columns: "own" }`,
    );
  const shared = columns === undefined ? same : columns === "shared";
  if (shared && first.classes.length !== second.classes.length)
    throw new TypeError(
      `${name}: as many classes in both streams are required to share columns, got ${first.classes.length} and ${second.classes.length}`,
    );
  if (!shared) needTarget(name, first, ["class"], '; give both streams the same columns, or { columns: "shared" }');
  const shift = shared ? 0 : first.classes.length;
  const parts = retabled(
    second,
    (of) =>
      shift === 0
        ? of
        : relabelled(
            of,
            relabelOf(of, (label) => label + shift),
          ),
    (classes) => (shift === 0 ? classes : classes.map((column) => column + shift)),
  );
  return {
    classes: shared ? first.classes : [...first.classes, ...second.classes],
    parts: parts as Fitted["parts"],
  };
}
