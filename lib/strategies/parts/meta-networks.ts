/** Small trained networks beside the parts of a frozen one, as EcoTTA has them. */
import type { Shape } from "../../data/dataset.ts";
import { type Rng, tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import { still } from "./still.ts";

/** A stretch of a chain of layers: the names of its first and last, and the shapes of one example before and after it. */
export interface Part {
  readonly first: string;
  readonly last: string;
  readonly input: Shape;
  readonly output: Shape;
}

/** What stands beside a part. A type, not an interface, so that it is a tree of tensors. */
export type Meta = {
  readonly [part: string]: {
    /** Of the normalisation of what the part gives. */
    readonly scale: tf.Tensor;
    readonly shift: tf.Tensor;
    /** Of a convolution of what comes into the part, 3 by 3, or a product where that is no image, and of its normalisation. */
    readonly kernel: tf.Tensor;
    readonly scaleBeside: tf.Tensor;
    readonly shiftBeside: tf.Tensor;
  };
};

/**
 * A chain cut into at most `count` parts. A part begins at a layer with a kernel; layers that change how many axes there are lie between
 * parts.
 */
export function partsOf(where: string, { model, input }: Network, weights: Weights, count: number): Part[] {
  const groups: { name: string; input: Shape; output: Shape }[] = [];
  for (const { path, output } of model.summary(input)) {
    const name = path?.[0];
    if (name === undefined) throw new TypeError(`${where}: a model that is a chain of layers is required; take net()`);
    const last = groups.at(-1);
    if (last?.name === name) groups[groups.length - 1] = { ...last, output };
    else groups.push({ name, input: last?.output ?? input, output });
  }
  const stretches: Part[] = [];
  let open = false;
  for (const { name, input, output } of groups) {
    const last = stretches.at(-1);
    if (hasKernel(weights.model[name] as Params | undefined) && input.length === output.length) {
      stretches.push({ first: name, last: name, input, output });
      open = true;
    } else if (open && last !== undefined && output.length === last.output.length)
      stretches[stretches.length - 1] = { ...last, last: name, output };
    else open = false;
  }
  const each = Math.ceil(stretches.length / count);
  const parts: Part[] = [];
  let joined = 0;
  for (const [i, stretch] of stretches.entries()) {
    const before = parts.at(-1);
    const follows =
      before !== undefined &&
      groups[groups.findIndex(({ name }) => name === stretch.first) - 1]?.name === stretches[i - 1]!.last;
    if (follows && joined < each) parts[parts.length - 1] = { ...before, last: stretch.last, output: stretch.output };
    else {
      parts.push(stretch);
      joined = 0;
    }
    joined++;
  }
  if (parts.length === 0)
    throw new TypeError(
      `${where}: a model with a layer that has a kernel is required, got none; take net().conv(8, 3)`,
    );
  return parts;
}

function hasKernel(node: Params | undefined): boolean {
  return Object.values(node ?? {}).some((leaf) =>
    "dataId" in leaf ? (leaf as tf.Tensor).rank > 1 : hasKernel(leaf as Params),
  );
}

/** New ones for parts: kernels as He et al. draw them. */
export function metaOf(parts: readonly Part[], rng: Rng): Meta {
  return Object.fromEntries(
    parts.map(({ first, input, output }) => {
      const [from, to] = [input.at(-1)!, output.at(-1)!];
      const shape = input.length === 3 ? [3, 3, from, to] : [from, to];
      const fanIn = shape.slice(0, -1).reduce((a, b) => a * b, 1);
      const kernel = rng.at(first).fillNormal(new Float32Array(fanIn * to), 0, Math.sqrt(2 / fanIn));
      const [ones, zeros] = [() => tf.ones([to]), () => tf.zeros([to])];
      const beside = { scaleBeside: ones(), shiftBeside: zeros() };
      return [first, { scale: ones(), shift: zeros(), kernel: tf.tensor(kernel, shape), ...beside }];
    }),
  );
}

/**
 * *Traced.* What a pass is given so that parts give the sum of both networks, normalised by the batch's own statistics. `pulls` has, after
 * the pass, how far on average each part is from what it would give alone; their gradients go to that part's own small network only.
 */
export function beside(parts: readonly Part[], meta: Meta): { readonly within: Within; readonly pulls: tf.Scalar[] } {
  const pulls: tf.Scalar[] = [];
  let came: tf.Tensor | undefined;
  const around: Within["around"] = (path, x, run) => {
    const name = path.length === 2 ? path[1] : undefined;
    if (parts.some(({ first }) => first === name)) came = x;
    const alone = run(x);
    const part = parts.find(({ last }) => last === name);
    if (part === undefined) return alone;
    const own = meta[part.first]!;
    const both = (before: tf.Tensor, after: tf.Tensor): tf.Tensor => {
      const side = tf.relu(normalised(folded(before, own.kernel, part), own.scaleBeside, own.shiftBeside));
      return tf.add(normalised(after, own.scale, own.shift), side);
    };
    const frozen = still(alone);
    pulls.push(tf.mean(tf.abs(tf.sub(both(still(came!), frozen), frozen))) as tf.Scalar);
    return both(came!, alone);
  };
  return { within: { around }, pulls };
}

/** What comes into a part, brought to the shape of what it gives. */
function folded(x: tf.Tensor, kernel: tf.Tensor, { input, output }: Part): tf.Tensor {
  if (input.length !== 3) {
    const rows = tf.matMul(tf.reshape(x, [-1, input.at(-1)!]), kernel as tf.Tensor2D);
    return tf.reshape(rows, [...x.shape.slice(0, -1), output.at(-1)!]);
  }
  const strides = [0, 1].map((axis) => Math.max(1, Math.floor(input[axis]! / output[axis]!))) as [number, number];
  const out = tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, strides, "same");
  return tf.slice(out, [0, 0, 0, 0], [out.shape[0], ...output]);
}

/** Each channel normalised over the batch. */
function normalised(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const centred = tf.sub(x, tf.mean(x, axes));
  const variance = tf.mean(tf.square(centred), axes);
  return tf.add(tf.mul(centred, tf.mul(tf.rsqrt(tf.add(variance, 1e-5)), scale)), shift);
}
