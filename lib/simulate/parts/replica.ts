/** One machine's learner. */
import { disposeTree, jit, type Rng, type Tree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { applyUpdates, type Optimizer } from "../../optim/optimizer.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Columns } from "../../train/columns.ts";
import { type Group, type StepPass, stacked } from "../../train/stacked.ts";
import type { Learner, Outputs, TrainStep } from "../../train/step.ts";
import type { Replica } from "./trainer.ts";
import { countOf, treeOf, vectorOf } from "./vectors.ts";

/** What a learner is made of. */
interface ReplicaParts {
  readonly stream: Stream;
  readonly columns: Columns;
  /** The noise of its steps. */
  readonly noise: Rng;
  readonly optimizer: Optimizer;
  /** The step that gives the gradient in place of the optimizer's state. */
  readonly slopes: TrainStep;
  readonly step: TrainStep;
  begin(optimizer: Optimizer): Learner;
}

/** Compiled once for each optimizer. */
const updates = new WeakMap<Optimizer, ReturnType<typeof updateBy>>();

function updateBy(optimizer: Optimizer) {
  return jit(
    (weights: Weights, state: Tree, gradient: Weights, rate: tf.Tensor) => {
      const [moves, next] = optimizer.update(gradient as Tree, state, weights as Tree, rate);
      return { weights: applyUpdates(weights, moves as unknown as Weights), state: next };
    },
    { name: "update" },
  );
}

/** A learner that begins as plain training does. */
export function replica({ stream, columns, noise, optimizer, slopes, step, begin }: ReplicaParts): Replica {
  let learner = begin(optimizer);
  const update = updates.get(optimizer) ?? updateBy(optimizer);
  updates.set(optimizer, update);

  const ran = (by: TrainStep, from: Learner, pass: StepPass): [Learner, number] => {
    const { inputs } = stacked([pass], columns.mask, stream.shape, 1, false, false).next().value as Group;
    const layout = { current: pass.batch.current, rows: pass.batch.rows, target: stream.target };
    const [next, out] = by(from, inputs, [noise.at(pass.moment.taken)], {}, layout) as [Learner, Outputs];
    const loss = out.terms.dataSync()[0]!;
    disposeTree([inputs, out] as unknown as Tree);
    if (Number.isFinite(loss)) return [next, loss];
    disposeTree(next as unknown as Tree);
    throw new RangeError(
      `simulate: a finite loss is required, got ${loss} at update ${pass.moment.taken + 1}; lower the learning rate`,
    );
  };

  return {
    vector: () => vectorOf([learner.weights, learner.statistics]),
    place(vector, { fresh = false } = {}) {
      const old = learner;
      const weights = treeOf(old.weights, vector);
      const count = countOf(old.weights);
      const statistics = vector.length > count ? treeOf(old.statistics, vector, count) : old.statistics;
      const state = fresh ? tf.tidy(() => optimizer.init(weights as Tree) as tf.TensorContainer) : old.optimizer;
      learner = { ...old, weights, statistics, optimizer: state as Tree };
      disposeTree(old as unknown as Tree, learner as unknown as Tree);
    },
    gradient(pass) {
      const [next, loss] = ran(slopes, { ...learner, optimizer: learner.weights as Tree }, pass);
      const gradient = vectorOf(next.optimizer);
      disposeTree([next.weights, next.optimizer, learner.statistics] as unknown as Tree);
      learner = { ...learner, statistics: next.statistics };
      return { loss, gradient, rows: pass.batch.current };
    },
    update(gradient, rate) {
      const slope = treeOf(learner.weights, gradient);
      const at = tf.scalar(rate);
      const { weights, state } = update(learner.weights, learner.optimizer, slope, at);
      disposeTree([slope, at, learner.weights, learner.optimizer] as unknown as Tree);
      learner = { ...learner, weights, optimizer: state };
    },
    step(pass) {
      const [next, loss] = ran(step, learner, pass);
      disposeTree(learner as unknown as Tree);
      learner = next;
      return loss;
    },
    dispose: () => disposeTree(learner as unknown as Tree),
  };
}
