/** Learning at test time: test examples arrive in batches, and the network adapts to each before it predicts it. */
import { type Examples, gather } from "../data/dataset.ts";
import { disposeTree, jit, type Rng, type Tree, tf } from "../engine/index.ts";
import type { Params } from "../models/model.ts";
import type { Network, Weights } from "../models/network.ts";
import type { HostTensor, State, Strategy } from "../strategies/strategy.ts";
import type { Evaluator, Frozen } from "./evaluate.ts";
import type { Learner } from "./step.ts";

/** What adaptation has put in place of what was trained. A type, not an interface, so that it is a tree of tensors. */
export type Adaptation = { readonly weights?: Weights; readonly statistics?: Params; readonly carried?: Tree };

/** The predictions of a table. */
export interface Predicted {
  /** `[n, columns]` or `[n, length, columns]`, row after row in the order of the table. */
  readonly logits: Float32Array;
  /** The rows of each batch, in the order in which they arrived. */
  readonly batches: readonly Uint32Array[];
}

/** The test time of a run. What it holds belongs to it, and is part of the run's state. */
export interface TestTime {
  /** Predicts the examples of a task; the columns that compete are a mask `[1, columns]`, or all. */
  predict(frozen: Frozen, examples: Examples, task: number | null, mask: HostTensor | null, rng: Rng): Predicted;
  /** What was adapted for good takes its place in the learner. */
  into(learner: Learner): Learner;
  /** A round of evaluations is over. */
  end(): void;
  /** What lasts until the next task; null when nothing does. */
  readonly held: Adaptation | null;
}

/** Compiles test time for the strategy that learns then; undefined where none does. */
export function testTime(
  network: Network,
  strategies: readonly Strategy[],
  judge: Evaluator,
  from: Adaptation | null,
): TestTime | undefined {
  const own = strategies.find(({ hooks }) => hooks.adapt !== undefined);
  if (own === undefined) return undefined;
  const { name } = own.spec;
  const { batch, reset, shuffle } = own.hooks.adapting ?? { batch: 64, reset: "task", shuffle: true };
  let held: Adaptation = from ?? {};

  const adapted = (frozen: Frozen, { weights, statistics, carried }: Adaptation): Frozen => {
    const state = { ...frozen.states[name], ...(carried === undefined ? {} : { carried }) };
    return {
      weights: weights ?? frozen.weights,
      statistics: statistics ?? frozen.statistics,
      states: { ...frozen.states, [name]: state },
    };
  };
  const step = jit(
    (frozen: Frozen, x: tf.Tensor, mask: tf.Tensor | null, task: number | null, rng: Rng) => {
      const { weights, statistics, states } = frozen;
      const { logits, ...next } = own.hooks.adapt!((states[name] ?? {}) as State, {
        network,
        weights,
        statistics,
        x,
        mask,
        rng,
        forward(rows, options) {
          const { features, logits: z, written } = judge.pass(frozen, task, rows, options);
          return { features, logits: z, statistics: written };
        },
      });
      return { next: next as Adaptation, logits: logits ?? judge.predict(adapted(frozen, next), x, task) };
    },
    { name: "adapt" },
  );

  /** Puts what a batch has changed in place of what was held. */
  function hold(next: Adaptation): void {
    const gone = Object.keys(next).flatMap((part) => held[part as keyof Adaptation] ?? []);
    disposeTree(gone as unknown as Tree);
    held = { ...held, ...next };
  }

  function drop(): void {
    disposeTree(held);
    held = {};
  }

  return {
    predict(frozen, examples, task, mask, rng) {
      if (reset === "task") drop();
      const n = examples.length;
      const order = shuffle ? rng.at("order").permutation(n) : Uint32Array.from({ length: n }, (_, i) => i);
      const open = mask === null ? null : tf.tensor(mask.data, mask.shape as number[], "float32");
      const batches: Uint32Array[] = [];
      let logits = new Float32Array(0);
      for (let start = 0; start < n; start += batch) {
        if (reset === "batch") drop();
        const at = order.slice(start, start + batch);
        const x = tf.tensor(gather(examples, at), [at.length, ...examples.shape]);
        const out = step(adapted(frozen, held), x, open, task, rng.at("batch", batches.length));
        const rows = out.logits.dataSync();
        const size = rows.length / at.length;
        if (logits.length === 0) logits = new Float32Array(n * size);
        for (const [k, row] of at.entries()) logits.set(rows.subarray(k * size, (k + 1) * size), row * size);
        disposeTree([x, out.logits]);
        hold(out.next);
        batches.push(at);
      }
      if (reset === "batch" || reset === "task") drop();
      open?.dispose();
      return { logits, batches };
    },
    into(learner) {
      if (reset !== "never") return learner;
      const { weights, statistics, carried } = held;
      held = {};
      const before = [weights && learner.weights, statistics && learner.statistics, carried && learner.carried[name]];
      disposeTree(before.filter((part) => part !== undefined) as unknown as Tree);
      return {
        ...learner,
        ...(weights && { weights }),
        ...(statistics && { statistics }),
        ...(carried && { carried: { ...learner.carried, [name]: carried } }),
      };
    },
    end: drop,
    get held() {
      return Object.keys(held).length === 0 ? null : held;
    },
  };
}

/** Some rows of predictions. */
export function logitsAt(logits: Float32Array, rows: ArrayLike<number>, count: number): Float32Array {
  const size = logits.length / count;
  const out = new Float32Array(rows.length * size);
  for (let k = 0; k < rows.length; k++) out.set(logits.subarray(rows[k]! * size, (rows[k]! + 1) * size), k * size);
  return out;
}
