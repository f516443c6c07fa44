import { needOneOf } from "../../../data/options.ts";
import { leaves, type Tree, tf, unflatten, withoutGradient } from "../../../engine/index.ts";
import { composite, type Inner, innerModel } from "../../composite.ts";
import { requireCount } from "../../layer.ts";
import { type Mode, type ModelParts, type Params, tape } from "../../model.ts";
import { type FixedPointOptions, fixedPoint } from "../../parts/fixed-point.ts";

/** Options of `deq`. */
export interface DeqOptions extends Partial<FixedPointOptions> {
  /**
   * Where it begins: at 0; at what the layers make of the input alone ("once"); or at what layers of its own predict, `predict`. The last two are
   * drawn to the equilibrium in training. Default "zeros".
   */
  readonly from?: "zeros" | "once";
  /** Layers that predict the equilibrium from the input. */
  readonly predict?: Inner;
  /** What the mean distance of the beginning from the equilibrium costs in training. Default 0.01. */
  readonly weight?: number;
}

/**
 * The equilibrium of some layers: the z for which `f(z + x)` is z again. As deep as the input needs, with the memory of one pass.
 *
 * The layers are a function of a net, or a model, that gives the shape it takes, without noise and without running statistics. The gradient is that of
 * the equilibrium itself: `u = dy + Jᵀu` is solved by the same method, of which no step is kept. It stops when `‖f − z‖ < tolerance · ‖f‖` over the batch, so what it
 * gives of an example depends on the others within the tolerance.
 *
 * `solver` is "broyden" (default), "iterate", or "ode": `z′ = f(z + x) − z` to its steady state. `steps` are at most 30, `tolerance` is 1e-4.
 *
 * Bai, Kolter and Koltun 2019, "Deep equilibrium models", arXiv:1909.01377, theorem 1.
 *
 * Implements: P109 Continuous DEQ / Skip DEQ
 * Pal, Edelman and Rackauckas 2022, "Continuous deep equilibrium models: training neural ODEs faster by integrating them to infinity", arXiv:2201.12240: `solver:
 * "ode"`; `predict` is their Skip DEQ, `from: "once"` their Skip Reg. DEQ.
 * Differs from the paper: another pair of an explicit solver; the gradient's linear system is solved as the equilibrium is, not by GMRES.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).deq((n) => n.dense(16).tanh()).features([4]); // [16]
 * net().dense(16).deq((n) => n.dense(16).tanh(), { solver: "ode", predict: (n) => n.dense(16) }).features([4]); // [16]
 * ```
 */
export const deq = composite(
  "deq",
  (
    inner: Inner,
    { solver = "broyden", steps = 30, tolerance = 1e-4, from = "zeros", predict, weight = 0.01 }: DeqOptions = {},
  ) => {
    needOneOf("deq", "solver", solver, ["broyden", "iterate", "ode"]);
    needOneOf("deq", "from", from, ["zeros", "once"]);
    requireCount("deq", "steps", steps);
    if (!(tolerance > 0)) throw new RangeError(`deq: a tolerance above 0 is required, got ${tolerance}`);
    if (!(weight >= 0)) throw new RangeError(`deq: a weight of at least 0 is required, got ${weight}`);
    const model = innerModel(inner);
    const predicting = predict && innerModel(predict);
    const how = { solver, steps, tolerance };
    return {
      options: { ...how, from, weight },
      parts: [{ name: "", model }, ...(predicting === undefined ? [] : [{ name: "predict", model: predicting }])],
      gives: "same",
      fits(input) {
        for (const [what, part] of Object.entries({
          layers: model,
          ...(predicting && { "layers that predict": predicting }),
        }))
          requireKept(what, part, input);
      },
      flow: (x, { pass }) => (predicting === undefined ? pass(0, x) : pass(0, pass(1, x))),
      apply(x, params, mode) {
        const first = beginning(x, params, mode);
        const z = equilibrium(model, x, params, mode, first, how);
        if (first !== null && weight > 0) mode.cost(tf.mul(tf.mean(tf.abs(tf.sub(z, first))), weight));
        return z;
      },
    };

    function beginning(x: tf.Tensor, params: Params, mode: Mode): tf.Tensor | null {
      if (predicting !== undefined) return predicting.apply(params.predict as Params, x, mode.at("predict"));
      return from === "once" ? model.apply(params, x, mode) : null;
    }
  },
  (options, [inner, predict]) => [inner!, { ...(options as DeqOptions), ...(predict && { predict }) }],
);

function requireKept(what: string, model: ModelParts, input: readonly number[]): void {
  const output = model.features(input);
  if (String(output) !== String(input))
    throw new RangeError(`deq: ${what} that give the shape they take are required, got [${input}] to [${output}]`);
  if (tf.tidy(() => leaves(model.statistics(input) as Tree).length) > 0)
    throw new TypeError(`deq: ${what} without running statistics are required; take layerNorm in place of batchNorm`);
}

/** `unflatten`, whose types are too deep for trees of trees. */
type Again = (like: unknown, flat: readonly tf.Tensor[]) => unknown;

/** The z that `f(z + x)` gives back, with its implicit gradient. */
function equilibrium(
  model: ModelParts,
  x: tf.Tensor,
  params: Params,
  mode: Mode,
  first: tf.Tensor | null,
  how: FixedPointOptions,
): tf.Tensor {
  const flat = [x.shape[0]!, x.size / x.shape[0]!];
  const constants = { x, params };
  const f = (z: tf.Tensor, own: typeof constants, mode: Mode): tf.Tensor =>
    model.apply(own.params, tf.add(tf.reshape(z, own.x.shape), own.x), mode);
  const quiet = tape(false, null, {}).mode;
  const z = withoutGradient(
    () =>
      fixedPoint(
        (z, own) => tf.reshape(f(z, own, quiet), flat),
        tf.reshape(first ?? tf.zerosLike(x), flat),
        constants,
        how,
      ).z,
  );
  /** What a gradient of the equilibrium is as a gradient of the last pass: u of u = dy + Jᵀu. */
  const pulled = (dy: tf.Tensor, z: tf.Tensor, constants: { x: tf.Tensor; params: Params }): tf.Tensor =>
    withoutGradient(() => {
      const back = (u: tf.Tensor, { z, dy, ...own }: { z: tf.Tensor; dy: tf.Tensor } & typeof constants): tf.Tensor => {
        const ofOne = tf.grad((z: tf.Tensor) => tf.sum(tf.mul(tf.reshape(f(z, own, quiet), flat), u)));
        return tf.add(dy, ofOne(z));
      };
      const dyFlat = tf.reshape(dy, flat);
      const { z: u } = fixedPoint(back, dyFlat, { z, dy: dyFlat, ...constants }, how);
      return tf.reshape(u, dy.shape);
    });
  return tf.customGrad((...args) => {
    const [last, save] = args as unknown as [tf.Tensor, tf.GradSaveFunc];
    save([z, ...leaves(constants as unknown as Tree)]);
    return {
      value: tf.clone(last),
      gradFunc: ((dy: tf.Tensor, [z, ...held]: tf.Tensor[]) =>
        pulled(dy, z!, (unflatten as Again)(constants, held) as typeof constants)) as never,
    };
  })(f(z, constants, mode));
}
