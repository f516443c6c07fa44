/** What operators and sources do to what is asked for: they say which they know, and move columns with their targets. */
import { type Dataset, type Examples, relabelled, type Target, type Targets } from "../../data/dataset.ts";
import { relabelOf } from "./tables.ts";

const words: Readonly<Record<Target, string>> = {
  class: "one class",
  numbers: "numbers",
  labels: "several labels",
  tokens: "tokens",
};

/** @throws TypeError unless a stream asks for something that the operator knows; `hint` says what to do instead. */
export function needTarget(
  where: string,
  { target }: { readonly target: Target },
  known: readonly Target[] = ["class"],
  hint = target === "labels" ? `; put multiLabel after ${where}` : "",
): void {
  if (known.includes(target)) return;
  const wanted = known.map((each) => words[each]).join(" or ");
  throw new TypeError(
    `${where}: a stream that asks for ${wanted} is required, got one that asks for ${words[target]}${hint}`,
  );
}

/** @throws TypeError unless a data set asks for one class; `hint` names what takes the others. */
export function needClasses(where: string, data: Dataset, hint: string): void {
  const { target = "class" } = data;
  if (target === "class") return;
  throw new TypeError(
    `${where}: a data set that asks for one class is required, got one that asks for ${words[target]}; ${hint}`,
  );
}

/**
 * The examples of a table when every column is another: labels and targets follow. `place` gives the new column of an old one, or
 * nothing where it is left out; there are `width` columns afterwards, and numbers and labels of those that are new are 0.
 */
export function columnsMoved(
  of: Examples,
  target: Target,
  place: (column: number) => number | undefined,
  width: number,
): Examples {
  const made = relabelled(
    of,
    relabelOf(of, (label) => place(label) ?? -1),
  );
  if (target === "class" || of.targets === undefined) return made;
  return { ...of, labels: made.labels, targets: movedTargets(of.targets, target, place, width) };
}

function movedTargets(
  of: Targets,
  target: Target,
  place: (column: number) => number | undefined,
  width: number,
): Targets {
  const read = (at: ArrayLike<number>): Float32Array => {
    const had = new Float32Array(at.length * of.width);
    of.read(at, had);
    return had;
  };
  if (target === "tokens")
    return {
      width: of.width,
      read(at, out, offset = 0) {
        read(at).forEach((token, i) => {
          out[offset + i] = token < 0 ? -1 : (place(token) ?? -1);
        });
      },
    };
  const places = Array.from({ length: of.width }, (_, column) => place(column));
  return {
    width,
    read(at, out, offset = 0) {
      const had = read(at);
      out.fill(0, offset, offset + at.length * width);
      for (let i = 0; i < at.length; i++)
        for (const [column, to] of places.entries())
          if (to !== undefined) out[offset + i * width + to] = had[i * of.width + column]!;
    },
  };
}
