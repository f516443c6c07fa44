/** One pass of examples through the network, as the strategies of a run make it. */
import type { Rng, tf } from "../engine/index.ts";
import { type Params, type Tap, tape, type Within } from "../models/model.ts";
import type { Network, Weights } from "../models/network.ts";
import type { Stem } from "../models/parts/stem.ts";
import type { Passed, State, Step, Strategy } from "../strategies/strategy.ts";

/** What is passed through, and how. */
export interface Through {
  readonly weights: Weights;
  readonly statistics: Params;
  readonly x: tf.Tensor;
  readonly task: tf.Tensor | null;
  readonly training: boolean;
  readonly rng: Rng | null;
  readonly within?: Within;
  readonly share?: number | undefined;
  /** What the frozen beginning of the network gives for `x`, where that is known. */
  readonly known?: Given | undefined;
  /** What strategies have put into the batch, where it is the batch that passes. */
  readonly extra?: { readonly [strategy: string]: Step["extra"] } | undefined;
}

/** What a pass leaves behind besides its outputs. */
export interface Left {
  readonly written: Params;
  readonly cost: tf.Scalar | null;
}

/** What the stem of a network has given. */
export interface Given {
  readonly stem: Stem;
  readonly values: tf.Tensor;
}

/** What a plain pass may differ in. */
type Differing = Within & {
  readonly x?: tf.Tensor;
  readonly weights?: Weights;
  readonly frozen?: Params;
};

/** Passes examples through the network, by the `forward` of a strategy if one has it; `written` are the running statistics after it, `cost` what its layers add to the loss. */
export function passed(
  network: Network,
  own: Strategy | undefined,
  state: (strategy: Strategy) => State,
  { weights, statistics, x, task, training, rng, within, share, known, extra }: Through,
): Passed & Left {
  let written = statistics;
  let cost: tf.Scalar | null = null;
  const plain = (given: Weights | Differing = {}, tapped?: Tap): Passed => {
    const other: Differing = "model" in given ? { weights: given } : given;
    const { frozen } = other;
    const at = other.weights ?? weights;
    const inner: Within = {
      tap: other.tap ?? tapped ?? within?.tap,
      into: other.into ?? within?.into,
      around: other.around ?? within?.around,
      attended: other.attended ?? within?.attended,
      beside: other.beside ?? within?.beside,
    };
    const run = frozen === undefined ? tape(training, rng, statistics, inner, share) : tape(false, null, frozen, inner);
    const rows = other.x ?? x;
    // what is known is so of these rows and weights alone, and where no strategy looks into layers
    const same = rows === x && at === weights && Object.values(inner).every((hook) => hook === undefined);
    const knows = known !== undefined && same && (frozen === undefined || known.stem.bare);
    const features = knows ? known.stem.rest(at, known.values, run.mode) : network.features(at, rows, run.mode);
    if (frozen === undefined) [written, cost] = [run.written(), run.cost()];
    return { features, logits: network.logits(at, features, inner.tap) };
  };
  const out =
    own === undefined
      ? plain()
      : own.hooks.forward!(state(own), {
          ...{ network, weights, x, task, training, rng, statistics, plain },
          extra: extra?.[own.spec.name] ?? {},
        });
  return { ...out, written, cost };
}
