/** Special abilities first, then a general one with a little of them. */
import { type Examples, joined, select } from "../../data/dataset.ts";
import { needShare, needWhole, withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { poolOf, withPresent } from "../parts/pool.ts";
import { rngOf } from "../parts/seed.ts";
import type { Changed, Seed } from "../stream.ts";

/** How a stream becomes one of two stages. */
export interface DualStageOptions {
  /** The experience of the general ability. Default the last. */
  readonly general?: number;
  /** The share of all other examples that comes again beside it. Default 0.01; at least one example of each experience unless it is 0. */
  readonly replay?: number;
  /** Draws what comes again. Default 0. */
  readonly seed?: Seed;
}

/**
 * Two stages of a stream: first the examples of all experiences but one, mixed, then those of that one with a small share of the first stage's. What one
 * ability after the other would forget is kept, and what all of them mixed would disturb comes last.
 *
 * There are two tasks: what is tested in all others, and the general one. A learner is not told the task, for the second stage has examples of both.
 *
 * Implements: P457 DMT data composition for SFT
 * Dong et al. 2023, "How abilities in large language models are affected by supervised fine-tuning data composition", arXiv:2310.05492, section 3.4 (dual-stage
 * mixed fine-tuning).
 *
 * @throws RangeError for a stream that never ends, or has fewer than two experiences.
 *
 * @example
 * ```ts
 * import { digits, operators, permuted } from "thalweg";
 * const stream = operators.dualStage({ general: 0, replay: 0.1 })(permuted(digits(), 3));
 * [stream.length, stream.tasks]; // [2, 2]
 * ```
 */
export const dualStage = operator(
  "dualStage",
  (options: DualStageOptions = {}) => {
    const o = withDefaults<Required<DualStageOptions>>("dualStage", options, { general: -1, replay: 0.01, seed: 0 });
    needShare("dualStage", "replay", o.replay);
    needWhole("dualStage", "general", o.general, -1);
    return (stream): Changed => {
      const pool = poolOf("dualStage", stream);
      const general = o.general === -1 ? stream.length - 1 : o.general;
      if (stream.length < 2 || general >= stream.length)
        throw new RangeError(
          `dualStage: at least two experiences and a general one among them are required, got ${stream.length} and ${general}`,
        );
      const others = Array.from({ length: stream.length }, (_, i) => i).filter((i) => i !== general);
      const rowsOf = (i: number): Uint32Array => {
        const { starts } = pool();
        return Uint32Array.from({ length: starts[i + 1]! - starts[i]! }, (_, k) => starts[i]! + k);
      };
      const kept = (count: number): number => (o.replay === 0 ? 0 : Math.max(1, Math.round(o.replay * count)));
      const again = (i: number): Uint32Array => {
        const rows = rowsOf(i);
        return rngOf(o.seed, "dualStage")
          .at(i)
          .sample(rows.length, kept(rows.length))
          .map((k) => rows[k]!);
      };
      const rowsIn = (stage: number): number[] =>
        stage === 0
          ? others.flatMap((i) => [...rowsOf(i)])
          : [...rowsOf(general), ...others.flatMap((i) => [...again(i)])];
      const tasksOf = (task: number): number[] => {
        const own = (task === 0 ? others : [general]).map((i) => stream.taskOf(i));
        return [...new Set(own)];
      };
      const classesOf = (task: number): number[] =>
        [...new Set(tasksOf(task).flatMap((own) => stream.classesOf(own)))].sort((a, b) => a - b);
      const test = (task: number): { readonly examples: Examples; readonly classes: readonly number[] } => ({
        examples: joined(tasksOf(task).map((own) => stream.test(own).examples)),
        classes: classesOf(task),
      });
      return {
        length: 2,
        tasks: 2,
        taskOf: (index) => index,
        classesOf,
        test,
        countOf: (index) =>
          others.reduce(
            (sum, i) => sum + (index === 0 ? stream.countOf(i) : kept(stream.countOf(i))),
            index === 0 ? 0 : stream.countOf(general),
          ),
        experience(index) {
          const parts = index === 0 ? others : [general];
          const validations = parts.flatMap((i) => stream.experience(i).validation ?? []);
          const train = select(pool().train, Uint32Array.from(rowsIn(index)));
          return {
            index,
            task: index,
            train,
            validation: validations.length === 0 ? null : joined(validations),
            test: test(index).examples,
            classes: withPresent(classesOf(index), train),
          };
        },
      };
    };
  },
  { drops: ["task"] },
);
