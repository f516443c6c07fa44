import { select } from "../../data/dataset.ts";
import { asked, keysOf, lastOf, logitsOf, type Matrix, siteOf, withLast } from "../../edit/parts/facts.ts";
import { disposeTree, jit, type Rng, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { electedSigns, largest, meanOfSigns } from "../../merge/parts/sparse.ts";
import type { Params } from "../../models/model.ts";
import { crossEntropies, type Network, type Weights } from "../../models/network.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** What the side memory differs in, `[inputs, units]`, and the length of what it adds from which on it answers. */
  readonly tensors: { readonly change: tf.Tensor; readonly limit: tf.Tensor };
  /** Changes that were merged; null before the first time. */
  readonly merged: Matrix | null;
  /** Changes since then, one for each shard; the last is open. */
  readonly shards: readonly Matrix[];
  readonly edits: number;
  /** The least length that the side memory has added to an edited fact. */
  readonly least: number;
}

type Now = { readonly change: tf.Tensor; readonly state: Tree };
type Step = (
  now: Now,
  beside: {
    readonly weights: Weights;
    readonly statistics: Params;
    readonly mask: tf.Tensor;
    readonly others: tf.Tensor;
  },
  x: tf.Tensor,
  y: tf.Tensor,
) => Now;

/**
 * WISE: facts are written into a copy of a layer's kernel, the side memory, in random parts of it that are merged; a question goes to the copy
 * where it answers otherwise than the layer by more than is usual.
 *
 * The side memory differs by D from the kernel. An edit descends the facts' cross-entropy and a margin on `Δ(k) = |k D|`: below `alpha` for known facts,
 * above `beta` for the edit's, and `gamma` between them. Of D only a share `mask` of the numbers may move, another one for each shard of
 * `every` edits; shards are merged by TIES with what was merged before. A question is routed to the side memory where `Δ` is at least
 * `ratio` times the least that an edited fact had.
 *
 * Wang et al. 2024, arXiv:2405.14768, eq. 3–7 and algorithm 1; the authors' program, with one side memory (WISE-Merge).
 * Differs from the paper: the last place only; Adam; margins are for small networks; shards are merged for every answer, what was merged after
 * `shards` of them; what was merged counts as one shard.
 *
 * @example
 * ```ts
 * import { adam, edits, net, wise } from "thalweg";
 * const study = edits(5, { subjects: 10 }).learn(net().embedding(14, 16).transformer(2).last()).with(adam({ lr: 0.01 }));
 * study.by(wise({ mask: 0.3 })).name; // "wise"
 * ```
 */
export const wise = strategy(
  "wise",
  {
    /** The layer that has a side memory, by its path in the model; the last one with a kernel where it is "". */
    layer: "",
    /** The share of the side memory that a shard of edits may change. */
    mask: 0.1,
    /** Experiences of edits in a shard, and shards that are merged for good. */
    every: 1,
    shards: 8,
    /** The share of the numbers of each shard that merging keeps. */
    density: 0.5,
    /** Margins of the length that the side memory adds. */
    alpha: 0.5,
    beta: 2,
    gamma: 1,
    /** How much of the least length of an edited fact a question must have. */
    ratio: 0.88,
    /** Known facts that an edit is held against. */
    others: 64,
    /** Steps of Adam for an edit, and their rate. */
    steps: 70,
    lr: 0.05,
    /** Experiences that are trained. */
    trained: 1,
  },
  ({ layer, mask, every, shards, density, alpha, beta, gamma, ratio, others, steps, lr, trained }) => {
    for (const [name, value] of Object.entries({ alpha, beta, gamma, ratio, lr }))
      requireNumber("wise", name, value, 0);
    for (const [name, value] of Object.entries({ mask, density })) requireNumber("wise", name, value, 0, 1);
    for (const [name, value] of Object.entries({ every, shards, others, steps, trained }))
      requireWhole("wise", name, value, 1);
    const optimizer = adam({ lr });
    const compiled = new WeakMap<Network, Step>();
    const stepOf = (network: Network, path: string): Step => {
      const made: Step =
        compiled.get(network) ??
        jit(
          ({ change, state }, { weights, statistics, mask: open, others: away }, x, y) => {
            const { grads } = valueAndGrad(
              ({ d }: { d: tf.Tensor }) => {
                let inside: tf.Tensor | undefined;
                const subject = { structure: network, weights, statistics };
                const logits = logitsOf(subject, weights, x, (at, _input, output, rows) => {
                  if (at.join("/") !== path) return output;
                  const added = tf.matMul(lastOf(rows(), x.shape[0]!), d as tf.Tensor2D);
                  inside = lengthsOf(added);
                  return withLast(output, tf.add(lastOf(output, x.shape[0]!), added));
                });
                const outside = lengthsOf(tf.matMul(away as tf.Tensor2D, d as tf.Tensor2D));
                const apart = tf.add(tf.sub(tf.expandDims(outside, 1), tf.expandDims(inside!, 0)), gamma);
                const margins = [apart, tf.sub(outside, alpha), tf.sub(beta, inside!)].map(meanAbove);
                return tf.add(tf.mean(crossEntropies(logits, y)), tf.addN(margins)) as tf.Scalar;
              },
              { d: change },
            );
            const slope = { d: tf.mul(grads.d, open) };
            const [moves, next] = optimizer.update(slope, state, { d: change }, tf.scalar(lr));
            return { change: tf.add(change, (moves as { d: tf.Tensor }).d), state: next };
          },
          { name: "wise", donate: [0] },
        );
      compiled.set(network, made);
      return made;
    };

    /** Keys of known facts that an edit is held against. */
    function awayFrom({ network: structure, weights, statistics, stream }: Context, site: Site, rng: Rng): Matrix {
      const tables = Array.from({ length: trained }, (_, i) => stream.experience(i).train);
      const each = Math.ceil(others / tables.length);
      const subject = { structure, weights, statistics };
      return Float64Array.from(
        tables.flatMap((facts, i) => {
          if (facts.length === 0) return [];
          const some = select(facts, rng.at(i).sample(facts.length, Math.min(each, facts.length)));
          return [...keysOf(subject, weights, some, site).keys];
        }),
      );
    }

    const trimmed = (changes: readonly Matrix[]): Matrix => {
      const kept = changes.map((change) => largest(change, density));
      return Float64Array.from(meanOfSigns(kept, electedSigns(kept)));
    };

    return {
      tokens: "it edits one answer for each example",
      classes: true,
      rowwise: true,
      init({ network, weights }): Memory {
        const { inputs, units } = siteOf("wise", { structure: network, weights }, layer);
        const tensors = { change: tf.zeros([inputs, units]), limit: tf.scalar(1e9) };
        return { tensors, merged: null, shards: [], edits: 0, least: Number.POSITIVE_INFINITY };
      },
      data: (_state: Memory, { index, train }) => (index < trained ? train : select(train, new Uint32Array(0))),
      beforeExperience(state: Memory, { index, train }, context): Memory {
        if (index < trained || train.length === 0) return state;
        const { network, weights, statistics, rng } = context;
        const site = siteOf("wise", { structure: network, weights }, layer);
        const { inputs, units, path } = site;
        const shard = Math.floor(state.edits / every);
        const opens = state.edits % every === 0;
        const before = opens ? new Float64Array(inputs * units) : state.shards.at(-1)!;
        const draw = rng.at("mask", shard);
        const open = Float32Array.from({ length: inputs * units }, () => Number(draw.uniform() < mask));
        const away = awayFrom(context, site, rng.at("others", index));
        const { x, y } = asked(train);
        const beside = {
          weights,
          statistics,
          mask: tf.tensor2d(open, [inputs, units]),
          others: tf.tensor2d(Float32Array.from(away), [away.length / inputs, inputs]),
        };
        const step = stepOf(network, path);
        const begun = tf.tensor2d(Float32Array.from(before), [inputs, units]);
        let now: Now = { change: begun, state: scoped(() => optimizer.init({ d: begun })) };
        for (let i = 0; i < steps; i++) now = step(now, beside, x, y);
        const own = Float64Array.from(now.change.dataSync());
        disposeTree([now, x, y, beside.mask, beside.others] as unknown as Tree);

        const subject = { structure: network, weights, statistics };
        const { keys } = keysOf(subject, weights, train, site);
        const least = Math.min(state.least, ...lengthsUnder(keys, own, inputs, units));
        const all = [...(opens ? state.shards : state.shards.slice(0, -1)), own];
        const view = trimmed(state.merged === null ? all : [...all, state.merged]);
        const edits = state.edits + 1;
        const closes = edits % (every * shards) === 0;
        return {
          merged: closes ? view : state.merged,
          shards: closes ? [] : all,
          edits,
          least,
          tensors: { change: tf.tensor2d(Float32Array.from(view), [inputs, units]), limit: tf.scalar(ratio * least) },
        };
      },
      forward({ tensors: { change, limit } }: Memory, { network, weights, x, training, plain }) {
        if (training) return plain(); // nothing is written before training is over
        const { path: wanted } = siteOf("wise", { structure: network, weights }, layer);
        return plain({
          tap(path, _input, output, rows) {
            if (path.join("/") !== wanted) return output;
            const added = tf.matMul(lastOf(rows(), x.shape[0]!), change as tf.Tensor2D);
            const goes = tf.cast(tf.greaterEqual(lengthsOf(added), limit), "float32");
            return withLast(output, tf.add(lastOf(output, x.shape[0]!), tf.mul(added, tf.expandDims(goes, 1))));
          },
        });
      },
    };
  },
);

type Site = ReturnType<typeof siteOf>;

/** *Traced.* The length of each row. */
function lengthsOf(rows: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.add(tf.sum(tf.square(rows), 1), 1e-12));
}

/** *Traced.* The mean of what is above 0; 0 where nothing is. */
function meanAbove(values: tf.Tensor): tf.Scalar {
  const above = tf.relu(values);
  const count = tf.sum(tf.step(above));
  return tf.div(tf.sum(above), tf.maximum(count, 1)) as tf.Scalar;
}

/** The lengths of keys times a change. */
function lengthsUnder(keys: Matrix, change: Matrix, inputs: number, units: number): number[] {
  return Array.from({ length: keys.length / inputs }, (_, i) => {
    const out = new Float64Array(units);
    for (let k = 0; k < inputs; k++)
      for (let j = 0; j < units; j++) out[j]! += keys[i * inputs + k]! * change[k * units + j]!;
    return Math.hypot(...out);
  });
}
