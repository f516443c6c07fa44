/** Lets the classes of some tasks leak into all others. */
import { needShare, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { operator } from "../operator.ts";
import { dealt, type Pool } from "../parts/pool.ts";
import { rngOf } from "../parts/seed.ts";
import type { Seed, Stream } from "../stream.ts";

/** What `blur` can be told. */
export interface BlurOptions {
  /** The share of classes that stay in their own experience; default 0.5. */
  readonly disjoint?: number;
  /** The share of each other class's examples that leave it; default 0.1. */
  readonly blurry?: number;
  /** "even" (default): they are dealt out evenly over the other experiences. "shuffled": all that leave are shuffled over the places they leave. */
  readonly spread?: "even" | "shuffled";
  /** Draws the disjoint classes and the examples that leave; default 0. */
  readonly seed?: Seed;
}

/**
 * Blurs the edges of tasks: some classes stay disjoint, of every other class a share of the examples goes to other experiences. No example
 * is lost or seen twice; the test examples of a task stay those of its own classes. The learner is told neither tasks nor boundaries.
 *
 * With `spread: "even"` it is i-Blurry of Koh et al. 2022 (arXiv:2110.10031, section 3): N % disjoint classes, blur level M. With
 * `spread: "shuffled"`, after `split({ parts: 5, seed: "run" })`, it is Si-Blurry of Moon et al. 2023 (arXiv:2308.09303, section 3.2), in
 * which also the sizes of the experiences stay as they were.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { blur, split } = operators;
 * blur({ disjoint: 0.5, blurry: 0.1 })(split(5)(classes(digits()))).facts; // ["labels", "length"]
 * ```
 */
export const blur = operator(
  "blur",
  (options: BlurOptions = {}) => {
    const o = withDefaults<Required<BlurOptions>>("blur", options, {
      disjoint: 0.5,
      blurry: 0.1,
      spread: "even",
      seed: 0,
    });
    needShare("blur", "disjoint", o.disjoint);
    needShare("blur", "blurry", o.blurry);
    const rng = rngOf(o.seed, "blur");
    return (stream) => dealt("blur", stream, (pool) => (o.spread === "even" ? even : shuffled)(stream, pool, o, rng));
  },
  { drops: ["boundary", "task"], targets: ["class", "labels"] },
);

/** The rows that leave, by the experience they leave, and those that stay. */
function leaving(stream: Stream, { train, starts }: Pool, o: Required<BlurOptions>, rng: Rng) {
  const columns = [...new Set(train.labels)].sort((a, b) => a - b);
  const staying = new Set(
    [...rng.at("classes").sample(columns.length, Math.round(columns.length * o.disjoint))].map((i) => columns[i]!),
  );
  const stay: number[][] = [];
  const leave: number[][] = [];
  for (let e = 0; e < stream.length; e++) {
    stay.push([]);
    leave.push([]);
    const groups = new Map<number, number[]>();
    for (let row = starts[e]!; row < starts[e + 1]!; row++) {
      const label = train.labels[row]!;
      const group = groups.get(label) ?? [];
      groups.set(label, group);
      group.push(row);
    }
    for (const [label, rows] of groups) {
      const count = staying.has(label) ? 0 : Math.floor(rows.length * o.blurry);
      const drawn = new Set(rng.at("leave", e, label).sample(rows.length, count));
      rows.forEach((row, i) => {
        (drawn.has(i) ? leave : stay)[e]!.push(row);
      });
    }
  }
  return { stay, leave };
}

function even(stream: Stream, pool: Pool, o: Required<BlurOptions>, rng: Rng): Uint32Array[] {
  const { stay, leave } = leaving(stream, pool, o, rng);
  if (stream.length > 1) {
    leave.forEach((rows, from) => {
      const others = stay.map((_, i) => i).filter((i) => i !== from);
      const order = rng.at("order", from).permutation(rows.length);
      // a random start, so that what does not divide evenly does not always go to the first
      const start = rng.at("start", from).int(others.length);
      rows.forEach((_, i) => {
        stay[others[(start + i) % others.length]!]!.push(rows[order[i]!]!);
      });
    });
  } else stay[0]!.push(...leave[0]!);
  return stay.map((rows) => Uint32Array.from(rows).sort());
}

function shuffled(stream: Stream, pool: Pool, o: Required<BlurOptions>, rng: Rng): Uint32Array[] {
  const { stay, leave } = leaving(stream, pool, o, rng);
  const all = leave.flat();
  const order = rng.at("order").permutation(all.length);
  let next = 0;
  return stay.map((rows, e) => {
    const arrived = leave[e]!.map(() => all[order[next++]!]!);
    return Uint32Array.from([...rows, ...arrived]).sort();
  });
}
