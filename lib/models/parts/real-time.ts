/** Real-time recurrent learning: the gradient of a recurrence goes forward with it, and needs nothing of the past but where it is now. */

import type { Rng } from "../../engine/index.ts";
import { leaves, scan, type Tree, tf, unflatten, valueAndGrad, withoutGradient } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
import type { Mode, Params } from "../model.ts";

/**
 * Units that meet of the state their own alone: of each a few numbers, the first of which is its output, and the sums of its gates, `[n, units]` each; the
 * numbers after. Every gate has weights of the input, one of the output before, and a bias.
 */
export interface UnitwiseCell {
  readonly states: number;
  readonly gates: number;
  next(states: readonly tf.Tensor[], gates: readonly tf.Tensor[]): tf.Tensor[];
}

/** The weights of a cell: `[inputs, gates · units]`, and `[gates, units]` of each unit's own output and for the biases. */
export interface UnitwiseParams {
  readonly kernel: tf.Tensor2D;
  readonly own: tf.Tensor2D;
  readonly bias: tf.Tensor2D;
}

/** Where a recurrence is: its states, and how each depends on the weights so far: `[n, states, gates, inputs or 1, units]`. */
export interface Moment {
  readonly states: readonly tf.Tensor[];
  /** Of the kernel, of a unit's own weights and of the biases; null where they are not wanted. */
  readonly slopes: readonly [tf.Tensor, tf.Tensor, tf.Tensor] | null;
}

export function unitwiseParams(rng: Rng, { gates }: UnitwiseCell, inputs: number, units: number): Params {
  return {
    kernel: drawWeights("torch", rng.at("kernel"), [inputs, gates * units], inputs, units),
    own: drawBias("torch", rng.at("own"), gates * units, inputs).reshape([gates, units]),
    bias: drawBias("torch", rng.at("bias"), gates * units, inputs).reshape([gates, units]),
  };
}

/** The beginning of `n` recurrences, where nothing has been yet. */
export function atRest({ states, gates }: UnitwiseCell, n: number, inputs: number, units: number): Required<Moment> {
  const slopes = [inputs, 1, 1].map((size) => tf.zeros([n, states, gates, size, units]));
  return {
    states: Array.from({ length: states }, () => tf.zeros([n, units])),
    slopes: slopes as unknown as [tf.Tensor, tf.Tensor, tf.Tensor],
  };
}

/** The sums of the gates, `[n, units]` each. */
function gatesOf(x: tf.Tensor, output: tf.Tensor, { kernel, own, bias }: UnitwiseParams): tf.Tensor[] {
  const [gates, units] = own.shape;
  const sums = tf.reshape(tf.matMul(x as tf.Tensor2D, kernel), [x.shape[0]!, gates, units]);
  return tf.unstack(tf.add(tf.add(sums, tf.mul(tf.expandDims(output, 1), own)), bias), 1);
}

/** One moment later. */
function later(cell: UnitwiseCell, { states, slopes }: Moment, x: tf.Tensor, params: UnitwiseParams): Moment {
  const gates = gatesOf(x, states[0]!, params);
  const next = cell.next(states, gates);
  if (slopes === null) return { states: next, slopes };
  // every unit is by itself: the gradient of a sum over units is that of each
  const partial = next.map(
    (_, a) =>
      valueAndGrad(
        (of: { states: readonly tf.Tensor[]; gates: tf.Tensor[] }) => tf.sum(cell.next(of.states, of.gates)[a]!),
        {
          states,
          gates,
        },
      ).grads,
  );
  const byGate = partial.map((of) => tf.stack(of.gates, 1)); // [n, gates, units]
  const byState = partial.map((of, a) =>
    of.states.map((own, b) => (b > 0 ? own : tf.add(own, tf.sum(tf.mul(byGate[a]!, params.own), 1)))),
  );
  const [n, units] = states[0]!.shape as [number, number];
  const direct = [tf.reshape(x, [n, 1, -1, 1]), tf.reshape(states[0]!, [n, 1, 1, units]), tf.ones([1, 1, 1, 1])];
  const moved = slopes.map((had, part) => {
    const before = tf.unstack(had, 1);
    const after = byState.map((row, a) =>
      [
        ...row.map((slope, b) => tf.mul(tf.reshape(slope, [n, 1, 1, units]), before[b]!)),
        tf.mul(tf.expandDims(byGate[a]!, 2), direct[part]!),
      ].reduce((sum, one) => tf.add(sum, one)),
    );
    return tf.stack(after, 1);
  });
  return { states: next, slopes: moved as unknown as Required<Moment>["slopes"] };
}

/** `unflatten`, whose types are too deep for trees of trees. */
type Again = (like: unknown, flat: readonly tf.Tensor[]) => unknown;

/**
 * The outputs of a recurrence over `[n, length, inputs]`, from a moment on, `[n, length, units]`, and the moment at its end.
 *
 * The gradient of the weights is `Σ_t dL/dh_t · dh_t/dw`, by slopes that are carried along from the beginning: exact, also for what was before the first
 * place if its slopes are given. That of the input has each place's own effect alone, not what it does later.
 */
export function inRealTime(
  cell: UnitwiseCell,
  x: tf.Tensor,
  params: UnitwiseParams,
  from: Moment,
): { readonly y: tf.Tensor; readonly last: Moment } {
  const along = [1, 0, 2];
  const { last, ys } = withoutGradient(() => {
    const [last, ys] = scan(
      (moment: Moment, x: tf.Tensor, own: UnitwiseParams) => {
        const next = later(cell, moment, x, own);
        return [next, next.states[0]!] as const;
      },
      from,
      tf.transpose(x, along),
      params,
    );
    return { last, ys: tf.transpose(ys, along) };
  });
  const held = [x, params.kernel, params.own, params.bias, ...leaves(from as unknown as Tree)];
  const y = tf.customGrad((...args) => {
    (args.at(-1) as unknown as tf.GradSaveFunc)(held);
    return {
      value: tf.clone(ys),
      gradFunc: ((dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, kernel, own, bias] = saved as [tf.Tensor, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
        const before = (unflatten as Again)(from, saved.slice(4)) as Moment;
        return slopesOf(cell, x, { kernel, own, bias }, before, dy);
      }) as never,
    };
  })(x, params.kernel, params.own, params.bias);
  return { y, last };
}

/** The gradients of the input and of the weights, from those of the outputs. */
function slopesOf(cell: UnitwiseCell, x: tf.Tensor, params: UnitwiseParams, from: Moment, dy: tf.Tensor): tf.Tensor[] {
  const [n, , inputs] = x.shape as [number, number, number];
  const units = params.own.shape[1];
  const moment: Moment = {
    ...from,
    slopes: from.slopes ?? atRest(cell, n, inputs, units).slopes,
  };
  const along = [1, 0, 2];
  const sums = [params.kernel, params.own, params.bias].map(({ shape }) => tf.zeros(shape));
  type Place = { readonly x: tf.Tensor; readonly dy: tf.Tensor };
  const [{ sums: grads }, dx] = scan(
    ({ moment, sums }: { moment: Moment; sums: tf.Tensor[] }, { x, dy }: Place, own: UnitwiseParams) => {
      const next = later(cell, moment, x, own);
      const added = next.slopes!.map((slope, part) => {
        const ofOutput = tf.unstack(slope, 1)[0]!; // [n, gates, inputs or 1, units]
        const all = tf.sum(tf.mul(ofOutput, tf.reshape(dy, [n, 1, 1, units])), 0);
        return tf.add(sums[part]!, tf.reshape(part === 0 ? tf.transpose(all, [1, 0, 2]) : all, sums[part]!.shape));
      });
      const { grads } = valueAndGrad(
        (x: tf.Tensor) => tf.sum(tf.mul(cell.next(moment.states, gatesOf(x, moment.states[0]!, own))[0]!, dy)),
        x,
      );
      return [{ moment: next, sums: added }, grads] as const;
    },
    { moment, sums },
    { x: tf.transpose(x, along), dy: tf.transpose(dy, along) },
    params,
  );
  return [tf.transpose(dx, along), ...grads];
}

/** The same outputs with the gradient of backpropagation through time. */
export function throughTime(
  cell: UnitwiseCell,
  x: tf.Tensor,
  params: UnitwiseParams,
  states: readonly tf.Tensor[],
): tf.Tensor {
  const [, ys] = scan(
    (states: readonly tf.Tensor[], x: tf.Tensor, own: UnitwiseParams) => {
      const next = cell.next(states, gatesOf(x, states[0]!, own));
      return [next, next[0]!] as const;
    },
    states,
    tf.transpose(x, [1, 0, 2]),
    params,
  );
  return tf.transpose(ys, [1, 0, 2]);
}

/** A moment as running statistics of a layer, of one stream. */
export function momentStatistics(cell: UnitwiseCell, inputs: number, units: number): Params {
  const { states, slopes } = atRest(cell, 1, inputs, units);
  return {
    ...Object.fromEntries(states.map((state, i) => [`state${i + 1}`, state])),
    ...Object.fromEntries(slopes!.map((slope, i) => [slopeNames[i]!, slope])),
  };
}

const slopeNames = ["ofKernel", "ofOwn", "ofBias"];

export function readMoment({ states }: UnitwiseCell, mode: Mode): Moment {
  return {
    states: Array.from({ length: states }, (_, i) => mode.read(`state${i + 1}`)),
    slopes: slopeNames.map((name) => mode.read(name)) as unknown as Required<Moment>["slopes"],
  };
}

export function writeMoment({ states, slopes }: Moment, mode: Mode): void {
  for (const [i, state] of states.entries()) mode.write(`state${i + 1}`, state);
  for (const [i, slope] of slopes!.entries()) mode.write(slopeNames[i]!, slope);
}
