/** The study of P067: linear recurrences with dense layers behind them. */
import {
  adam,
  jit,
  layers,
  type Model,
  mapTensors,
  net,
  type Params,
  type Rng,
  random,
  type Tree,
  tape,
  tf,
  valueAndGrad,
} from "../../../lib/index.ts";
import { allOf, apart, band, outcomeOf, study } from "./studies.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** P067: how near a linear recurrence and dense layers come to a sequence that depends on the past in products, by the numbers in the state. */
export function universality(): void {
  const [length, seeds, batch] = [24, 3, 32];
  const sizes = [1, 4, 16];
  /** Numbers, and at each place `tanh(2 uₜ₋₁ uₜ₋₄) + uₜ₋₂ / 2`. */
  const drawn = (rng: Rng): readonly [tf.Tensor, tf.Tensor] => {
    const u = rng.uniforms([batch, length, 1], -1.5, 1.5);
    const back = (places: number): tf.Tensor =>
      tf.concat([tf.zeros([batch, places, 1]), tf.slice(u, [0, 0, 0], [batch, length - places, 1])], 1);
    return [u, tf.add(tf.tanh(tf.mul(2, tf.mul(back(1), back(4)))), tf.mul(0.5, back(2)))];
  };
  const error = (state: number, seed: number): number => {
    const model = net.of([
      layers.dense(16),
      layers.lru(state),
      layers.dense(48),
      layers.gelu(),
      layers.dense(1),
    ]) as unknown as Model;
    const optimizer = adam({ lr: 5e-3 });
    const loss = (params: Params, u: tf.Tensor, y: tf.Tensor): tf.Tensor =>
      tf.mean(tf.square(tf.sub(model.apply(params, u, tape(true, null, {}).mode), y)));
    const step = jit(
      (params: Params, own: Tree, u: tf.Tensor, y: tf.Tensor): readonly [Params, Tree, tf.Tensor] => {
        const { value, grads } = valueAndGrad((p: Params) => loss(p, u, y), params);
        const [updates, next] = optimizer.update(grads as Tree, own, params as Tree, tf.scalar(5e-3));
        return [mapTensors((p, update) => tf.add(p, update), params, updates as Params), next, value];
      },
      { name: "universality", donate: [0, 1] },
    );
    let params: Params = tf.tidy(() => model.init(random(seed), [length, 1]) as never);
    let own: Tree = tf.tidy(() => optimizer.init(params as Tree) as never);
    const last: number[] = [];
    for (let t = 0; t < 300; t++) {
      const [u, y] = tf.tidy(() => drawn(random(seed).at("u", t)) as never) as readonly [tf.Tensor, tf.Tensor];
      const [p, o, value]: readonly [Params, Tree, tf.Tensor] = step(params, own, u, y);
      [params, own] = [p, o];
      if (t >= 250) last.push(value.dataSync()[0]!);
      tf.dispose([u, y, value]);
    }
    tf.dispose([params, own] as never);
    return mean(last);
  };
  const errors = sizes.map((state) => Array.from({ length: seeds }, (_, seed) => error(state, seed)));
  console.log("universality", JSON.stringify(errors));
  study("P067", {
    headline:
      "A linear recurrence with dense layers behind it comes the nearer to a nonlinear map of sequences the more numbers its state has",
    outcome: allOf(...sizes.slice(1).map((_, i) => outcomeOf(apart(errors[i]!, errors[i + 1]!)))),
    figures: Object.fromEntries(
      sizes.map((state, i) => [`mean square error with ${state} complex numbers`, band(errors[i]!)]),
    ),
    seeds,
  });
}
