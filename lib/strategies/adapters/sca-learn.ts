import { cloneTree, paths, type Tree, tf } from "../../engine/index.ts";
import type { Adapter } from "../../models/adapters/adapter.ts";
import { type Params, tape } from "../../models/model.ts";
import { adaptersNode } from "../../models/parameters.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { unitsAt } from "../parts/layers.ts";
import { requireNumber, strategy } from "../strategy.ts";

/** Of one source by where its layers lie: what its adapter has there, with what its layers share. A type, so that it is a tree of tensors. */
type Source = { readonly [path: string]: Params };

interface Memory {
  readonly tensors: { readonly [source: string]: Source };
}

/**
 * ScaLearn: what the adapters of several tasks would add to a network's layers is added together, each times numbers that are learnt for the task
 * at hand. Nothing else is trained but the head.
 *
 * `sources` are trained networks that have an adapter which changes outputs, as `bottleneck`, on the very network of the study: at a layer that
 * gives y its output becomes `y + Σᵢ ωᵢ ⊙ (aᵢ(y) − y)`, where aᵢ is what the i-th adapter makes of it. Of each source a layer of `units` outputs
 * has as many ω, or with `uniform` one; with `shared` all layers have the same (the paper's ++). They begin around `begin / sources` with a
 * deviation of 0.001, and while training each of them is left out with the chance `dropout`. Without sources the head alone is trained.
 *
 * Implements: P345 ScaLearn
 *
 * Frohmann et al. 2024, "ScaLearn: simple and highly parameter-efficient task transfer by learning to scale", arXiv:2310.01217, section 3; the
 * beginning and the dropout are those of the authors' program.
 *
 * @throws TypeError where a source has no adapter of that kind, or is another network below it; where layers that share numbers differ in width.
 *
 * @example
 * ```ts
 * import { bottleneck, classes, digits, from, mlp, scaLearn } from "thalweg";
 * const quiet = { quiet: true, record: false } as const;
 * const tasks = classes(digits()).split(5);
 * const big = await (await tasks.slice(0, 1).learn(mlp({ hidden: [16] })).run(quiet)).network();
 * const tuned = from(big).adapt(bottleneck({ units: 4, on: "*" }));
 * const source = await (await tasks.slice(1, 2).learn(tuned).run(quiet)).network();
 * const run = await tasks.slice(2, 3).learn(from(big)).by(scaLearn({ sources: [source], uniform: true })).run(quiet);
 * ```
 */
export const scaLearn = strategy(
  "scaLearn",
  {
    /** The networks whose adapters are scaled. */
    sources: [] as readonly TrainedNetwork[],
    /** Whether all outputs of a layer have one number for each source. */
    uniform: false,
    /** Whether all layers have the same numbers. */
    shared: false,
    /** What the numbers of all sources begin as, taken together. */
    begin: 2,
    /** The chance that a number is left out of a step. */
    dropout: 0.3,
  },
  ({ sources, uniform, shared, begin, dropout }) => {
    requireNumber("scaLearn", "begin", begin, 0);
    requireNumber("scaLearn", "dropout", dropout, 0, 0.99);
    const adapters = sources.map(adapterOf);
    const count = sources.length;
    return {
      tokens: true,
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters({ weights, rng }): Params {
        const sites = [...new Set(sources.flatMap((source) => Object.keys(sourceIn(source))))];
        const widths = sites.map((path) => unitsAt(weights, `model/${path}`));
        if (shared && new Set(widths).size > 1)
          throw new TypeError(
            `scaLearn: layers of one width are required where they share numbers, got widths ${[...new Set(widths)].join(", ")}; put the adapters on layers of one width, or leave shared out`,
          );
        const drawn = (path: string, width: number): tf.Tensor =>
          rng.at(path).normals([count, uniform ? 1 : width], begin / count, 0.001);
        if (shared && sites.length > 0) return { all: drawn("all", widths[0]!) };
        return Object.fromEntries(sites.map((path, i) => [path, drawn(path, widths[i]!)]));
      },
      init({ weights }): Memory {
        for (const [i, source] of sources.entries()) requireSame(weights.model, source, i);
        return { tensors: Object.fromEntries(sources.map((source, i) => [`${i}`, cloneTree(sourceIn(source))])) };
      },
      forward({ tensors }: Memory, { weights, training, rng, plain }) {
        if (count === 0) return plain();
        const own = weights.added!.scaLearn as { readonly [path: string]: tf.Tensor };
        const memories = sources.map(() => new Map<string, tf.Tensor>());
        const { mode } = tape(false, null, {});
        const scales = (path: string): tf.Tensor => {
          const all = own[shared ? "all" : path]!;
          if (!training || rng === null || dropout === 0) return all;
          const stays = tf.greaterEqual(rng.at("scales", path).uniforms(all.shape), dropout);
          return tf.mul(all, tf.div(tf.cast(stays, "float32"), 1 - dropout));
        };
        return plain({
          tap(at, input, output) {
            const path = at.slice(1).join("/");
            const here = sources.map((_, i) => tensors[i]![path]);
            if (at[0] !== "model" || here.every((each) => each === undefined)) return output;
            const scale = scales(path);
            const parts = here.flatMap((mine, i) => {
              if (mine === undefined) return [];
              const change = tf.sub(adapters[i]!.output!(mine, input, output, mode, memories[i]! as never), output);
              return [tf.mul(change, tf.reshape(tf.slice(scale, [i, 0], [1, scale.shape[1]!]), [scale.shape[1]!]))];
            });
            return tf.addN([output, ...parts]);
          },
        });
      },
    };
  },
);

/** The one adapter of a source, which changes outputs. */
function adapterOf({ model }: TrainedNetwork, at: number): Adapter {
  const [first, ...others] = model.adapters ?? [];
  if (first?.adapter.output !== undefined && others.length === 0) return first.adapter;
  const got = [...(first === undefined ? [] : [first]), ...others].map(({ adapter }) => adapter.spec.name);
  throw new TypeError(
    `scaLearn: a source with one adapter that changes outputs is required, as bottleneck(), got source ${at} with ${got.join(", ") || "none"}; train it as from(network).adapt(bottleneck())`,
  );
}

/** What the adapter of a source has at each of its layers, with what these share. */
function sourceIn({ model, weights }: TrainedNetwork): Source {
  const { name } = model.adapters![0]!;
  const common = ((weights.model[adaptersNode] as Params | undefined)?.[name] ?? {}) as Params;
  const found = new Map<string, { [tensor: string]: tf.Tensor }>();
  for (const [path, tensor] of paths(weights.model as Tree)) {
    const [layer, own] = path.split(`/${adaptersNode}/${name}/`);
    if (own !== undefined) found.set(layer!, { ...found.get(layer!), [own]: tensor });
  }
  return Object.fromEntries([...found].map(([path, own]) => [path, { ...common, ...own }]));
}

/** Throws unless a source is the network but for its adapters. */
function requireSame(model: Params, source: TrainedNetwork, at: number): void {
  const theirs = new Map(paths(source.weights.model as Tree));
  for (const [path, tensor] of paths(model as Tree)) {
    const other = theirs.get(path);
    const values = tensor.dataSync();
    if (other === undefined || other.dataSync().some((value, i) => value !== values[i]))
      throw new TypeError(
        `scaLearn: sources that adapt the network of the study are required, got source ${at} with ${other === undefined ? "no" : "another"} ${path}; train all of them from(network), frozen`,
      );
  }
}
