import { nn, type Rng, tf } from "../../../engine/index.ts";
import { drawWeights } from "../../initial.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import { batchNorm } from "../norm/batch-norm.ts";

/** Options of `hierarchicalMoe`. */
export interface HierarchicalMoeOptions {
  /** Experts of each task, of each group of tasks, and of all. Default 2. */
  readonly experts?: number;
  /** Numbers that an expert gives. Default 32. */
  readonly units?: number;
  /** Numbers between the two products of the gate of an expert's input. Default 4. */
  readonly rank?: number;
}

/**
 * A hierarchy of experts for several tasks at once, of which some are alike: experts of all tasks, of a group of them, and of one.
 *
 * `groups` has the tasks of each group by their numbers from 0: `[[0, 1], [2]]`. At first a group makes y of experts of its own and of shared ones, and the
 * shared way one of all; then a task makes z of its own experts and those of its group on the group's y, and of shared ones on the shared y. Outputs are summed by
 * a softmax of the layer's input, and a way's own experts once more by another, which keeps their gradients alive. Every expert is `silu(norm(W (x ⊙ 2σ(B A x))))`
 * with batch normalisation, so that none is too loud or silent, and a gate of its input in `rank` numbers. No task sees the experts of another group, or those of
 * another task of its own.
 *
 * Takes vectors `[n, d]`, gives `[n, tasks · units]`, task after task: `towers` is the head that reads them apart.
 *
 * Implements: P428 HoME
 * Wang et al. 2024, "HoME: hierarchy of multi-gate experts for multi-task learning at Kuaishou", arXiv:2408.05430, section 3 (expert normalisation, hierarchy mask,
 * feature gates and self-gates).
 * Differs from the paper: an expert is one product; gates are of the layer's input at both levels.
 *
 * @throws TypeError unless the groups name every task from 0 once.
 *
 * @example
 * ```ts
 * import { headed, net, towers } from "thalweg";
 * headed(net().hierarchicalMoe([[0, 1], [2]], { units: 8 }), towers()).features([6]); // [24]
 * ```
 */
export const hierarchicalMoe = layer(
  "hierarchicalMoe",
  { accepts: ["vector"], gives: "vector" },
  (groups: readonly (readonly number[])[], { experts = 2, units = 32, rank = 4 }: HierarchicalMoeOptions = {}) => {
    for (const [name, value] of Object.entries({ experts, units, rank })) requireCount("hierarchicalMoe", name, value);
    const tasks = groups.flat().length;
    const named = [...groups.flat()].sort((a, b) => a - b);
    if (tasks === 0 || groups.some((group) => group.length === 0) || named.some((task, i) => task !== i))
      throw new TypeError(
        `hierarchicalMoe: groups that name every task from 0 once are required, got ${JSON.stringify(groups)}`,
      );
    const norm = batchNorm();
    const [first, second] = [
      ["shared", ...groups.map((_, g) => `group${g + 1}`)],
      ["shared", ...groups.map((_, g) => `group${g + 1}`), ...named.map((t) => `task${t + 1}`)],
    ];
    /** The ways whose experts a way sees, its own first. */
    const seenBy = (level: "first" | "second", way: string): readonly string[] => {
      if (level === "first") return way === "shared" ? first : [way, "shared"];
      const group = groups.findIndex((tasks) => tasks.includes(Number(way.slice(4)) - 1));
      return [way, `group${group + 1}`, "shared"];
    };
    const set = (rng: Rng, width: number): Params =>
      Object.fromEntries(
        Array.from({ length: experts }, (_, e) => {
          const own = rng.at("expert", e);
          return [
            `expert${e + 1}`,
            {
              narrow: { kernel: drawWeights("torch", own.at("narrow"), [width, rank], width, rank) },
              gate: { kernel: drawWeights("torch", own.at("gate"), [rank, width], rank, width) },
              dense: productParams(own.at("dense"), width, units),
              norm: norm.init!(own, [units]),
            },
          ];
        }),
      );
    const gates = (rng: Rng, width: number, level: "first" | "second", ways: readonly string[]): Params =>
      Object.fromEntries(
        ways.map((way) => [
          way,
          {
            all: productParams(rng.at(way, "all"), width, experts * seenBy(level, way).length),
            own: productParams(rng.at(way, "own"), width, experts),
          },
        ]),
      );
    const sets = (ways: readonly string[], make: (way: string) => Params): Params =>
      Object.fromEntries(ways.map((way) => [way, make(way)]));
    const ends = named.map((t) => `task${t + 1}`);
    /** The outputs of a way's experts, each `[n, units]`. */
    const outputs = (x: tf.Tensor, params: Params, mode: Mode): tf.Tensor[] =>
      Object.entries(params).map(([name, expert]) => {
        const [own, inner] = [expert as Params, mode.at(name)];
        const opened = tf.mul(tf.sigmoid(product(product(x, own, "narrow", inner), own, "gate", inner)), 2);
        const y = product(tf.mul(x, opened), own, "dense", inner);
        return nn.silu(norm.apply(y, own.norm as Params, inner.at("norm")));
      });
    const weighed = (all: readonly tf.Tensor[], logits: tf.Tensor): tf.Tensor => {
      const shares = tf.split(tf.softmax(logits), all.length, 1);
      return tf.addN(all.map((y, i) => tf.mul(y, shares[i]!)));
    };
    return {
      options: { groups: groups.map((group) => [...group]), experts, units, rank },
      shape(input) {
        if (input.length !== 1)
          throw new RangeError(`hierarchicalMoe: a vector is required, got shape [${input}]; call flatten() first`);
        return [tasks * units];
      },
      init: (rng, [width]): Params => ({
        first: sets(first, (way) => set(rng.at("first", way), width!)),
        firstGates: gates(rng.at("firstGates"), width!, "first", first),
        second: sets(second, (way) => set(rng.at("second", way), units)),
        secondGates: gates(rng.at("secondGates"), width!, "second", ends),
      }),
      statistics: () => {
        const one = (): Params =>
          Object.fromEntries(
            Array.from({ length: experts }, (_, e) => [`expert${e + 1}`, { norm: norm.statistics!([units]) }]),
          );
        return { first: sets(first, one), second: sets(second, one) };
      },
      apply(x, params, mode) {
        const level = (
          which: "first" | "second",
          ways: readonly string[],
          given: (way: string) => tf.Tensor,
          ends: readonly string[],
        ): Map<string, tf.Tensor> => {
          const all = new Map(
            ways.map((way) => [
              way,
              outputs(given(way), (params[which] as Params)[way] as Params, mode.at(which).at(way)),
            ]),
          );
          const asked = (way: string, part: string): tf.Tensor =>
            product(x, (params[`${which}Gates`] as Params)[way] as Params, part, mode.at(`${which}Gates`).at(way));
          return new Map(
            ends.map((way) => {
              const seen = seenBy(which, way).flatMap((other) => all.get(other)!);
              return [way, tf.add(weighed(seen, asked(way, "all")), weighed(all.get(way)!, asked(way, "own")))];
            }),
          );
        };
        const y = level("first", first, () => x, first);
        const groupOf = (way: string): string => (way.startsWith("task") ? seenBy("second", way)[1]! : way);
        const z = level("second", second, (way) => y.get(groupOf(way))!, ends);
        return tf.concat([...z.values()], 1);
      },
    };
  },
);
