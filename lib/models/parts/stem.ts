/** The layers at the beginning of a network that nothing trains and that give the same for the same example at every time. */
import type { Shape } from "../../data/dataset.ts";
import { paths, type Rng, random, scoped, type Tree, tf } from "../../engine/index.ts";
import { selects } from "../filter.ts";
import { type Mode, type Params, tape } from "../model.ts";
import type { Network, Weights } from "../network.ts";
import { adaptersNode } from "../parameters.ts";
import { flopsByLayer } from "./flops.ts";

/** Such layers of one network. */
export interface Stem {
  /** The shape of what they give for one example. */
  readonly shape: Shape;
  /** The share of the network's arithmetic, of a pass forwards, that is theirs. */
  readonly share: number;
  /** Whether they read no running statistics. */
  readonly bare: boolean;
  /** *Traced.* What they give, `[n, …shape]`. */
  first(weights: Weights, statistics: Params, x: tf.Tensor): tf.Tensor;
  /** *Traced.* The network's features from that. */
  rest(weights: Weights, given: tf.Tensor, mode: Mode): tf.Tensor;
}

/** What is thrown by what a layer of the stem may not do. */
class NotStill extends Error {}

/**
 * The stem of a network: the longest row of its first layers whose parameters are all frozen, and which draw no noise and write no running
 * statistics in training. Null where there is none with weights, and where the model is not layers in a row.
 */
export function stemOf(network: Network, weights: Weights, statistics: Params): Stem | null {
  const { model, frozen } = network;
  if (model.stack === undefined || frozen === null) return null;
  const found = trial(network, weights, statistics);
  if (found === null) return null;
  const { names, shape } = found;
  const kernels = paths(weights.model as Tree).some(([path, t]) => names.has(path.split("/")[0]!) && t.rank > 1);
  if (!kernels) return null;
  const only = (mode: Mode, skipped: (part: string) => boolean): Mode => ({
    ...mode,
    at: (part) => (skipped(part) ? { ...mode.at(part), around: (x) => x } : mode.at(part)),
  });
  const stem: Omit<Stem, "share"> = {
    shape,
    bare: !Object.keys(statistics).some((part) => names.has(part)),
    first: (at, from, x) =>
      network.features(
        at,
        x,
        only(tape(false, null, from).mode, (part) => !names.has(part)),
      ),
    rest: (at, given, mode) =>
      network.features(
        at,
        given,
        only(mode, (part) => names.has(part)),
      ),
  };
  if (!isWhole(network, stem, weights, statistics)) return null;
  const flops = [...flopsByLayer(network, weights)];
  const sum = (own: (path: string) => boolean): number =>
    flops.reduce((all, [path, each]) => all + (own(path) ? each : 0), 0);
  const share =
    sum((path) => names.has(path.replace(/^model\//, "").split("/")[0]!)) /
    Math.max(
      1,
      sum(() => true),
    );
  return { ...stem, share };
}

/** The layers of the stem by name, and what the last of them gives, from a pass in which a layer that is not still ends it. */
function trial(network: Network, weights: Weights, statistics: Params): { names: Set<string>; shape: Shape } | null {
  const names = new Set<string>();
  let shape: Shape | undefined;
  let ended = false;
  const { mode } = tape(true, null, statistics);
  const noise = new Proxy({} as Rng, {
    get() {
      throw new NotStill("noise");
    },
  });
  const guarded = (of: Mode): Mode => ({
    ...of,
    rng: noise,
    write() {
      throw new NotStill("a statistic");
    },
    cost() {
      throw new NotStill("a loss");
    },
    at: (part) => guarded(of.at(part)),
  });
  const watched: Mode = {
    ...mode,
    at: (part) => ({
      ...guarded(mode.at(part)),
      around(x, run) {
        ended ||= !isFrozen(network, weights, part);
        if (ended) return x;
        try {
          const y = run(x);
          names.add(part);
          shape = y.shape.slice(1);
          return y;
        } catch (error) {
          if (!(error instanceof NotStill)) throw error;
          ended = true;
          return x;
        }
      },
    }),
  };
  scoped(() => {
    network.features(weights, tf.zeros([1, ...network.input]), watched);
    return [];
  });
  return shape === undefined ? null : { names, shape };
}

/** Whether nothing that works at a layer of the chain is trained. */
function isFrozen({ model, frozen }: Network, weights: Weights, part: string): boolean {
  const all = paths(weights.model as Tree).map(([path]) => path);
  const trained = (within: string): boolean =>
    all.some((path) => path.startsWith(`${within}/`) && !frozen!(`model/${path}`));
  const shared = (model.adapters ?? []).some(
    ({ name, adapter }) =>
      adapter.around !== undefined &&
      selects(adapter.on, { path: part, kind: "weight", shape: [] }) &&
      trained(`${adaptersNode}/${name}`),
  );
  return !shared && !trained(part);
}

/** Whether the stem and the rest give what the network gives: a layer may read what one before it has remembered. */
function isWhole(network: Network, stem: Omit<Stem, "share">, weights: Weights, statistics: Params): boolean {
  let apart = Number.POSITIVE_INFINITY;
  scoped(() => {
    const x = random(0).uniforms([2, ...network.input]);
    const run = (): Mode => tape(false, null, statistics).mode;
    try {
      const [whole, parts] = [
        network.features(weights, x, run()),
        stem.rest(weights, stem.first(weights, statistics, x), run()),
      ];
      if (String(whole.shape) === String(parts.shape)) {
        const scale = tf.maximum(tf.max(tf.abs(whole)), 1e-12);
        apart = tf.div(tf.max(tf.abs(tf.sub(whole, parts))), scale).dataSync()[0]!;
      }
    } catch {
      // the rest asks for more than what the stem gives
    }
    return [];
  });
  return apart < 1e-5;
}
