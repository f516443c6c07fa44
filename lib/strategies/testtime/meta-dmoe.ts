import type { Examples } from "../../data/dataset.ts";
import {
  cloneTree,
  disposeTree,
  jit,
  mapTensors,
  type Rng,
  scoped,
  type Tree,
  tf,
  valueAndGrad,
} from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import { crossEntropies, masked, type Network, type Weights } from "../../models/network.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { type Aggregator, aggregated, aggregatorOf } from "../parts/aggregator.ts";
import { descent, rowsAt } from "../parts/descent.ts";
import * as t from "../parts/test-time.ts";
import { descended } from "../parts/unlearning.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

/** A network that knows one domain. A type, not an interface, so that it is a tree of tensors. */
type Expert = { readonly model: Params; readonly statistics: Params };

interface Memory {
  readonly tensors: { readonly experts: readonly Expert[]; readonly aggregator: Aggregator };
  readonly carried: { readonly begun: tf.Tensor };
}

/**
 * Meta-DMoE: an expert for each source domain, and a transformer over what they make of a few unlabelled examples of a new domain, whose answer
 * the network's features take one step towards before it predicts.
 *
 * Each experience is a domain; its expert is the network as it is then, trained further on that domain. From the second one on the network, its head
 * and the transformer are trained to be good after such a step: some examples of a domain give the step, with the domain's own expert left out,
 * others its loss, `min E CE(θ − inner ∇_θ |f_θ(x) − A(experts(x))|²)`. At test time the step is taken on the first batch after each reset.
 * Earlier domains are read from the stream again. Memory and work grow with the domains.
 *
 * Implements: P323 Meta-DMoE
 *
 * Zhong et al. 2022, arXiv:2210.03885, eq. 1–5 and algorithm 1; the authors' program.
 * Differs from the paper: one head of attention; the transformer begins as the mean of the experts and is trained first through the network's own
 * head; experts begin from the network that has seen the domains so far.
 *
 * @throws Error for convolutions, whose gradient has no gradient here.
 *
 * @example
 * ```ts
 * import { digits, metaDmoe, mlp, rotated } from "thalweg";
 * rotated(digits(), [0, 30, 60, 90]).learn(mlp({ hidden: [64] })).by(metaDmoe({ rounds: 100 }));
 * ```
 */
export const metaDmoe = strategy(
  "metaDmoe",
  {
    /** Learning rate of the step towards what the experts say. */
    inner: 0.1,
    /** Learning rate, steps and examples of a step of the training that makes the network good after it; half of them give the step. */
    lr: 1e-3,
    rounds: 100,
    examples: 64,
    /** How experts are trained, and the transformer at first. */
    expertRate: 2e-3,
    expertEpochs: 3,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When the network becomes again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ inner, lr, rounds, examples, expertRate, expertEpochs, batch, reset, shuffle }) => {
    for (const [name, value] of Object.entries({ inner, lr, expertRate })) requireNumber("metaDmoe", name, value, 0);
    for (const [name, value] of Object.entries({ rounds, expertEpochs, batch }))
      requireWhole("metaDmoe", name, value, 1);
    requireWhole("metaDmoe", "examples", examples, 2);
    requireOneOf("metaDmoe", "reset", reset, resets);
    const widthOf = ({ width }: Network): number => width.reduce((a, b) => a * b, 1);

    return {
      tokens: t.onePrediction,
      classes: true,
      init: ({ network, rng }): Memory => ({
        tensors: { experts: [], aggregator: aggregatorOf(widthOf(network), rng.at("aggregator")) },
        carried: { begun: tf.scalar(0) },
      }),
      afterExperience(state: Memory, { train, index }, context) {
        if (train.length === 0) return state;
        const how = { lr: expertRate, batch: context.batch, epochs: expertEpochs };
        const rng = context.rng.at("domain", index);
        const { model, head } = descended("metaDmoe", context, context.weights, train, how, rng.at("expert"));
        disposeTree(head);
        const own: Expert = { model, statistics: cloneTree(context.statistics) };
        const experts = [...state.tensors.experts, own];
        const domains = domainsOf(context, index);
        if (experts.length < 2 || domains.length !== experts.length)
          return { ...state, tensors: { experts, aggregator: state.tensors.aggregator } };
        const first = warmed(context, experts, domains, state.tensors.aggregator, how, rng.at("warm"));
        const { weights, aggregator } = meta(context, experts, domains, first, rng.at("meta"));
        disposeTree(first);
        return { ...state, tensors: { experts, aggregator }, weights, restart: true };
      },
      adapting: { batch, reset, shuffle },
      adapt({ tensors: { experts, aggregator }, carried: { begun } }: Memory, { network, weights, statistics, x }) {
        if (experts.length < 2) return {};
        const target = aggregated(aggregator, saidBy(network, experts, x));
        const { grads } = valueAndGrad(
          (model: Params) => pull(network, { ...weights, model }, statistics, x, target),
          weights.model,
        );
        const step = mapTensors((w, g) => tf.sub(w, tf.mul(g!, inner)), weights.model, grads);
        return {
          weights: { ...weights, model: t.chosen(begun, weights.model, step) },
          carried: { begun: tf.scalar(1) },
        };
      },
    };

    /** The domains up to an experience: their examples, and which columns compete there. */
    function domainsOf(context: Context, index: number) {
      return Array.from({ length: index + 1 }, (_, i) => context.stream.experience(i))
        .filter(({ train }) => train.length > 0)
        .map(({ train, task }) => ({ train, mask: context.mask(Int32Array.of(task)) }));
    }

    /** The transformer after it has learnt to answer through the network's head, each domain without its own expert. */
    function warmed(
      { network, weights }: Context,
      experts: readonly Expert[],
      domains: ReturnType<typeof domainsOf>,
      begin: Aggregator,
      how: { lr: number; batch: number; epochs: number },
      rng: Rng,
    ): Aggregator {
      let now = cloneTree(begin);
      for (const [own, { train }] of domains.entries()) {
        const others = experts.filter((_, i) => i !== own);
        const next = descent("metaDmoe", now, train, { ...how, epochs: 1 }, rng.at(own), (at, x, y) => {
          const features = aggregated(at, saidBy(network, others, x));
          return tf.mean(crossEntropies(network.logits(weights, shaped(network, features)), y)) as tf.Scalar;
        });
        disposeTree(now);
        now = next;
      }
      return now;
    }

    /** Network and transformer after they have learnt to be good after a step. */
    function meta(
      { network, weights, statistics }: Context,
      experts: readonly Expert[],
      domains: ReturnType<typeof domainsOf>,
      begin: Aggregator,
      rng: Rng,
    ): { readonly weights: Weights; readonly aggregator: Aggregator } {
      const optimizer = adam({ lr });
      type At = { readonly weights: Weights; readonly aggregator: Aggregator };
      type Now = { readonly at: At; readonly state: Tree };
      const step = jit(
        (
          { at, state }: Now,
          others: readonly Expert[],
          running: Params,
          x: readonly [tf.Tensor, tf.Tensor],
          y: tf.Tensor,
          mask: tf.Tensor | null,
        ): Now => {
          const said = saidBy(network, others, x[0]);
          const { grads } = valueAndGrad((now: At) => {
            const target = aggregated(now.aggregator, said);
            const { grads: slope } = valueAndGrad(
              (model: Params) => pull(network, { ...now.weights, model }, running, x[0], target),
              now.weights.model,
            );
            const model = mapTensors((w, g) => tf.sub(w, tf.mul(g!, inner)), now.weights.model, slope);
            const after = { ...now.weights, model };
            const features = network.features(after, x[1], tape(false, null, running).mode);
            return tf.mean(crossEntropies(masked(network.logits(after, features), mask), y)) as tf.Scalar;
          }, at);
          const [next, later] = t.moved(optimizer, grads, state, at, lr);
          return { at: next, state: later };
        },
        { name: "metaDmoe", donate: [0] },
      );
      const at: At = { weights: cloneTree(weights), aggregator: cloneTree(begin) };
      let now: Now = { at, state: scoped(() => optimizer.init(at as unknown as Tree)) };
      for (let round = 0; round < rounds; round++) {
        const draw = rng.at(round);
        const own = draw.int(domains.length);
        const { train, mask } = domains[own]!;
        const drawn = draw.at("rows").sample(train.length, Math.min(examples, train.length));
        const half = Math.max(1, Math.floor(drawn.length / 2));
        const [given, asked] = [drawn.slice(0, half), drawn.slice(drawn.length > 1 ? half : 0)].map((rows) =>
          rowsAt(train as Examples, rows),
        ) as [ReturnType<typeof rowsAt>, ReturnType<typeof rowsAt>];
        const open = mask === null ? null : tf.tensor(mask.data, mask.shape as number[], "float32");
        const others = experts.filter((_, i) => i !== own);
        now = step(now, others, statistics, [given.x, asked.x], asked.y, open);
        disposeTree([given.x, given.y, asked.x, asked.y, open]);
      }
      disposeTree(now.state);
      return now.at;
    }
  },
);

/** *Traced.* What experts make of examples, `[n, experts, width]`. */
function saidBy(network: Network, experts: readonly Expert[], x: tf.Tensor): tf.Tensor {
  const said = experts.map(({ model, statistics }) =>
    flat(network.features({ model, head: {} }, x, tape(false, null, statistics).mode)),
  );
  return tf.stack(said, 1);
}

/** *Traced.* The mean squared distance of a network's features to others. */
function pull(network: Network, weights: Weights, statistics: Params, x: tf.Tensor, target: tf.Tensor): tf.Scalar {
  const own = flat(network.features(weights, x, tape(false, null, statistics).mode));
  return tf.mean(tf.square(tf.sub(own, target))) as tf.Scalar;
}

function flat(features: tf.Tensor): tf.Tensor {
  return tf.reshape(features, [features.shape[0]!, -1]);
}

function shaped({ width }: Network, features: tf.Tensor): tf.Tensor {
  return tf.reshape(features, [features.shape[0]!, ...width]);
}
