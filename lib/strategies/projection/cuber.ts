import type { Examples } from "../../data/dataset.ts";
import { gather } from "../../data/dataset.ts";
import { disposeTree, jit, scoped, tf, valueAndGrad } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { crossEntropies, masked, type Weights } from "../../models/network.ts";
import { inputsOf, type LayerPath, layerAt, requireLayers, withLayers } from "../parts/layers.ts";
import { evaluated } from "../parts/per-example.ts";
import { type InSubspaces, scaledWithin } from "../parts/scales.ts";
import { type Bases, basisTensors, outside, withRows } from "../parts/subspace.ts";
import {
  type Change,
  type Context,
  type Pass,
  type Passed,
  requireNumber,
  requireWhole,
  strategy,
} from "../strategy.ts";

/** What a past task has left: the directions of its inputs and its gradient at its end, `[d + 1, units]`, layer by layer. */
interface Past {
  readonly bases: Bases;
  readonly gradients: ReadonlyMap<LayerPath, Float32Array>;
}

interface Memory {
  readonly past: readonly Past[];
  readonly tensors: {
    readonly bases: { readonly [path: LayerPath]: tf.Tensor };
    /** For each task that scales past subspaces, their directions; the name of the task being learnt, if it does. */
    readonly directions: { readonly [task: string]: InSubspaces };
    readonly active: { readonly [task: string]: tf.Tensor };
  };
}

/**
 * CUBER: gradient projection that lets go of past tasks which the new one helps.
 *
 * Before an experience its gradient g is compared, layer by layer, with the gradient each past task had at its end: where the part of g in
 * that task's input subspace is at least `sufficient` of g and its cosine with the task's gradient at least `positive`, the task's
 * directions are free; all others are projected out as in `gpm`. Where all are free the layer's weights are as plain training moves them.
 *
 * With `scaled`, a task also uses what it may not change: where it is related to a past task but does not help it, the layer's weights are
 * scaled within that task's directions B, `W + B (Q − I) Bᵀ W`, with a matrix Q that is trained for the new task alone, begun as the identity,
 * for the two past tasks that hold most of its gradient. Each task is tested with its own matrices, so it must be told; a test example
 * costs a pass for each task that scales. The optimizer begins anew with each such task.
 *
 * Lin et al. 2022, arXiv:2211.00789, definitions 1–3 and algorithm 1; the scaled projection is that of Lin et al. 2022,
 * arXiv:2202.02931 (TRGP), eq. 5–7. Memory grows with the number of tasks; a step's
 * projection takes at most a square matrix for each layer.
 * Differs from the paper: the choice is made once, at the start of an experience; free directions have no penalty of their own.
 *
 * Implements: P164 CUBER
 *
 * @example
 * ```ts
 * import { cuber } from "thalweg";
 * cuber({ sufficient: 0.5, positive: 0 });
 * ```
 */
export const cuber = strategy(
  "cuber",
  {
    /** Share of the squared length of inputs that a task's basis holds, in (0, 1]. */
    share: 0.95,
    /** Examples that bases and gradients are made of. */
    samples: 125,
    /** How much of the new gradient must lie in a past task's subspace for the two to be related, in [0, 1]. */
    sufficient: 0.5,
    /** The least cosine of gradients for a past task to be helped, in [−1, 1]. */
    positive: 0,
    /** Whether weights are scaled within the directions of related past tasks; needs a stream that tells the task. */
    scaled: false,
  },
  ({ share, samples, sufficient, positive, scaled }) => {
    requireNumber("cuber", "share", share, 1e-6, 1);
    requireWhole("cuber", "samples", samples, 1);
    requireNumber("cuber", "sufficient", sufficient, 0, 1);
    requireNumber("cuber", "positive", positive, -1, 1);
    return {
      tokens: "it needs layers that see an example once, not at each of its places",
      role: "projection",
      init(context): Memory {
        requireLayers("cuber", context);
        if (scaled && !context.stream.facts.includes("task"))
          throw new TypeError(
            'cuber: a stream that tells the task is required to scale weights, got one that does not; use scenario("task") or { scaled: false }',
          );
        return { past: [], tensors: { bases: {}, directions: {}, active: {} } };
      },
      beforeExperience({ past, tensors: { directions } }: Memory, { train, task, index }, context): Memory {
        if (index === 0 || past.length === 0) return { past, tensors: { bases: {}, directions, active: {} } };
        const fresh = gradients(train, task, samples, context);
        const held = new Map<LayerPath, Float64Array[]>();
        const trusted = new Map<LayerPath, Trusted[]>();
        for (const [from, { bases, gradients: old }] of past.entries()) {
          for (const [path, basis] of bases) {
            const g = fresh.get(path)!;
            const inside = projected(g, basis);
            const related = length(inside) >= sufficient * length(g);
            const helped = cosine(inside, padded(old.get(path)!, g, basis)) >= positive;
            if (related && helped) continue;
            if (related && basis.length > 0)
              trusted.set(path, [...(trusted.get(path) ?? []), { from, basis, share: length(inside) }]);
            const width = basis[0]?.length ?? 0;
            const all = held.get(path) ?? [];
            held.set(path, withRows(all, Float32Array.from(basis.flatMap((d) => [...d])), width, 1 - 1e-6));
          }
        }
        const tensors = { bases: basisTensors(held), directions, active: {} };
        return scaled ? scaling({ past, tensors }, task, trusted, context.weights) : { past, tensors };
      },
      ...(scaled && {
        parameters: (): Params => ({}),
        rowwise: true as const,
        forward: ({ tensors }: Partial<Memory>, pass: Pass): Passed =>
          tensors === undefined ? pass.plain() : throughScales(pass, tensors),
        weights: ({ tensors }: Memory, { before, after }: Change): Weights => {
          const now = Object.keys(tensors.active)[0];
          const [old, moved] = [scalesOf(before), scalesOf(after)];
          const kept = Object.keys(moved).map((task) => [task, task === now ? moved[task]! : old[task]!]);
          return withScales(after, Object.fromEntries(kept));
        },
      }),
      gradient: ({ tensors }, gradient) =>
        withLayers(gradient, Object.keys(tensors.bases), (g, path) => outside(g, tensors.bases[path]!)),
      afterExperience({ past, tensors }: Memory, { train, task }, context): Memory {
        if (train.length === 0) return { past, tensors };
        const bases = new Map<LayerPath, Float64Array[]>();
        const own = Object.keys(tensors.active)[0];
        const used = own === undefined ? null : scoped(() => effective(context.weights, own, tensors.directions));
        const at = used === null ? context : { ...context, weights: used };
        for (const { path, rows, width } of inputsOf(train, samples, at))
          if (path !== "head" || context.stream.head !== "multi") bases.set(path, withRows([], rows, width, share));
        const learnt = { bases, gradients: gradients(train, task, samples, at) };
        if (used !== null) disposeTree(used, context.weights);
        return { past: [...past, learnt], tensors };
      },
    };
  },
  ["boundary"],
);

/** A past task whose directions of a layer the new gradient lies in. */
interface Trusted {
  readonly from: number;
  readonly basis: readonly Float64Array[];
  readonly share: number;
}

/** How many past tasks a layer is scaled within. */
const most = 2;

type Scales = { readonly [task: string]: InSubspaces };
const scalesOf = (weights: Weights): Scales => (weights.added?.cuber ?? {}) as unknown as Scales;
const withScales = (weights: Weights, scales: Scales): Weights => ({
  ...weights,
  added: { ...weights.added, cuber: scales as unknown as Params },
});

/** The weights as a task uses them. */
function effective(weights: Weights, task: string, directions: Memory["tensors"]["directions"]): Weights {
  return scaledWithin(weights, scalesOf(weights)[task]!, directions[task]!);
}

/** Begins a task that scales its weights within trusted subspaces; one that came before goes on with its matrices. */
function scaling(
  { past, tensors }: Memory,
  task: number,
  trusted: ReadonlyMap<LayerPath, readonly Trusted[]>,
  weights: Weights,
): Memory & { readonly weights?: Weights; readonly restart?: boolean } {
  const name = String(task);
  const active = { [name]: tf.scalar(task) };
  if (scalesOf(weights)[name] !== undefined) return { past, tensors: { ...tensors, active } };
  if (trusted.size === 0) {
    active[name]!.dispose();
    return { past, tensors };
  }
  const scales: Record<LayerPath, Record<string, tf.Tensor>> = {};
  const directions: Record<LayerPath, Record<string, tf.Tensor>> = {};
  for (const [path, all] of trusted) {
    const best = [...all].sort((a, b) => b.share - a.share).slice(0, most);
    scales[path] = Object.fromEntries(best.map(({ from, basis }) => [String(from), tf.eye(basis.length)]));
    directions[path] = Object.fromEntries(
      best.map(({ from, basis }) => [String(from), basisTensors(new Map([[path, basis]]))[path]!]),
    );
  }
  return {
    past,
    tensors: { ...tensors, directions: { ...tensors.directions, [name]: directions }, active },
    weights: withScales(weights, { ...scalesOf(weights), [name]: scales }),
    restart: true,
  };
}

/** *Traced.* The pass with the weights as the task being learnt uses them, or at test time each example's task. */
function throughScales(pass: Pass, { directions, active }: Memory["tensors"]): Passed {
  const used = (task: string): Passed => pass.plain({ weights: effective(pass.weights, task, directions) });
  if (pass.training || pass.task === null) {
    const [now] = Object.keys(active);
    return now === undefined ? pass.plain() : used(now);
  }
  return Object.keys(directions).reduce((out, task) => {
    const mine = tf.equal(tf.cast(pass.task!, "int32"), tf.scalar(Number(task), "int32"));
    const own = used(task);
    const chosen = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const rows = tf.reshape(mine, [-1, ...a.shape.slice(1).map(() => 1)]);
      return tf.where(tf.logicalAnd(rows, tf.cast(tf.onesLike(a), "bool")), a, b);
    };
    return { features: chosen(own.features, out.features), logits: chosen(own.logits, out.logits) };
  }, pass.plain());
}

/** The gradient of the mean loss of some examples of a task, `[d + 1, units]` for each layer. */
function gradients(
  examples: Examples,
  task: number,
  samples: number,
  { network, weights, statistics, mask, rng, experience }: Context,
): Map<LayerPath, Float32Array> {
  const at = rng.at("gradient", experience).sample(examples.length, Math.min(samples, examples.length));
  const x = tf.tensor(gather(examples, at), [at.length, ...examples.shape]);
  const y = tf.tensor1d(
    Int32Array.from(at, (i) => examples.labels[i]!),
    "int32",
  );
  const row = mask(Int32Array.of(task));
  const open = row === null ? null : tf.tensor(row.data, row.shape as number[], "float32");
  const found = jit(
    (w: Weights, inputs: tf.Tensor, labels: tf.Tensor, columns: tf.Tensor | null) =>
      valueAndGrad(
        (now: Weights) => tf.mean(crossEntropies(masked(evaluated(network, now, statistics, inputs), columns), labels)),
        w,
      ).grads,
    { name: "gradient" },
  )(weights, x, y, open);
  const out = new Map<LayerPath, Float32Array>();
  const visit = (node: object, path: string): void => {
    for (const [name, child] of Object.entries(node)) {
      const inner = path === "" ? name : `${path}/${name}`;
      if (!("dataId" in (child as object)) && !("kernel" in (child as object))) visit(child as object, inner);
      else if ("kernel" in (child as object)) {
        const { kernel, bias } = layerAt(found, inner);
        const data = new Float32Array(kernel.size + kernel.shape.at(-1)!);
        data.set(kernel.dataSync());
        if (bias !== undefined) data.set(bias.dataSync(), kernel.size);
        out.set(inner, data);
      }
    }
  };
  visit({ model: found.model, head: found.head }, "");
  disposeTree([found, x, y]);
  open?.dispose();
  return out;
}

/** The part of a matrix with a row for each input that lies in the span of a basis. */
function projected(matrix: Float32Array, basis: readonly Float64Array[]): Float32Array {
  const out = new Float32Array(matrix.length);
  for (const direction of basis) {
    const units = matrix.length / direction.length;
    for (let u = 0; u < units; u++) {
      let along = 0;
      for (let i = 0; i < direction.length; i++) along += direction[i]! * matrix[i * units + u]!;
      for (let i = 0; i < direction.length; i++) out[i * units + u]! += along * direction[i]!;
    }
  }
  return out;
}

/** An older gradient in the shape of a newer one whose layer has more units. */
function padded(old: Float32Array, like: Float32Array, basis: readonly Float64Array[]): Float32Array {
  if (old.length === like.length) return old;
  const inputs = basis[0]!.length;
  const [from, to] = [old.length / inputs, like.length / inputs];
  const out = new Float32Array(like.length);
  for (let i = 0; i < inputs; i++) out.set(old.subarray(i * from, (i + 1) * from), i * to);
  return out;
}

function length(a: Float32Array): number {
  return Math.sqrt(a.reduce((sum, v) => sum + v * v, 0));
}

function cosine(a: Float32Array, b: Float32Array): number {
  let along = 0;
  for (let i = 0; i < a.length; i++) along += a[i]! * b[i]!;
  return along / (length(a) * length(b) + 1e-30);
}
