/**
 * Studies of recurrent networks that learn or are used moment by moment: `npx tsx tests/bench/online-recurrent.studies.bench.ts`, or some of them alone, by
 * their rows.
 */
import {
  type Layer,
  layers,
  type Model,
  mapTensors,
  net,
  type Params,
  type Rng,
  random,
  steps,
  tape,
  tf,
  valueAndGrad,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { type Drawn, entropy, fit, given, right, squared } from "./parts/fitting.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const bands = (found: Readonly<Record<string, readonly number[]>>): Study["figures"] =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)]));

/** A stream of conditioning: a signal, ten moments later what it announces, and distractors. */
function conditioning(seed: number, moments: number) {
  const rng = random(seed).at("stream");
  const [x, reward] = [new Float32Array(moments * 4), new Float32Array(moments)];
  for (let t = 0; t < moments; ) {
    x[t * 4] = 1;
    if (t + 10 < moments) reward[t + 10] = 1;
    t += 25 + rng.int(10);
  }
  for (let t = 0; t < moments; t++) for (let k = 1; k < 4; k++) x[t * 4 + k] = rng.uniform() < 0.1 ? 1 : 0;
  const returns = new Float32Array(moments);
  for (let t = moments - 2; t >= 0; t--) returns[t] = reward[t + 1]! + 0.9 * returns[t + 1]!;
  return { x, reward, returns };
}

/** A learner of predictions: what it carries, and the features at a moment with what it carries then. */
interface Learner {
  readonly params: Params;
  readonly carried: Params;
  features(params: Params, carried: Params, x: tf.Tensor): readonly [features: tf.Tensor, carried: Params];
}

const inRealTime = (layer: Layer, rng: Rng): Learner => ({
  params: layer.init!(rng, [4]),
  carried: layer.statistics!([4]),
  features(params, carried, x) {
    const taped = tape(true, null, carried);
    return [layer.apply(x, params, taped.mode), taped.written()];
  },
});

/** Backpropagation through the last moments alone: from the state before them. */
function truncated(units: number, window: number, rng: Rng): Learner {
  const layer = layers.lstm(units);
  const { mode } = tape(false, null, {});
  return {
    params: layer.init!(rng, [window, 4]),
    carried: { h: tf.zeros([1, units]), c: tf.zeros([1, units]), last: tf.zeros([1, window, 4]) },
    features(params, { h, c, last }, x) {
      const now = tf.concat([tf.slice(last as tf.Tensor, [0, 1, 0], [1, window - 1, 4]), tf.expandDims(x, 0)], 1);
      const [, [h1, c1]] = layer.recurs!(
        tf.slice(last as tf.Tensor, [0, 0, 0], [1, 1, 4]),
        params,
        mode,
        [h as tf.Tensor, c as tf.Tensor],
        tf.ones([1, 1]),
      );
      const [y] = layer.recurs!(
        now,
        params,
        mode,
        [h1!, c1!].map((t) => t),
        tf.ones([1, window]),
      );
      return [tf.reshape(tf.slice(y, [0, window - 1, 0], [1, 1, units]), [1, units]), { h: h1!, c: c1!, last: now }];
    },
  };
}

/** The squared error of predictions by TD(λ), with Adam's steps, over the last third of a stream. */
function predictionError({ params, carried, features }: Learner, width: number, seed: number, moments: number): number {
  const [gamma, lambda, lr, at] = [0.9, 0.9, 3e-3, 250];
  const { x, reward, returns } = conditioning(seed, moments);
  const weights: Params = { layer: params, head: { kernel: tf.zeros([width, 1]), bias: tf.zeros([1]) } };
  const zeros = (): Params => mapTensors((t) => tf.zerosLike(t), weights);
  const run = steps(
    (
      state: { weights: Params; carried: Params; trace: Params; m: Params; v: Params; value: tf.Tensor; t: tf.Tensor },
      given: { x: tf.Tensor; reward: tf.Tensor },
    ) => {
      const { value, aux, grads } = valueAndGrad((w: Params) => {
        const [h, carried] = features(w.layer as Params, state.carried, tf.reshape(given.x, [1, 4]));
        const { kernel, bias } = w.head as { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor };
        return [tf.sum(tf.add(tf.matMul(h as tf.Tensor2D, kernel), bias)), carried] as never;
      }, state.weights) as unknown as { value: tf.Tensor; aux: Params; grads: Params };
      const error = tf.sub(tf.add(given.reward, tf.mul(value, gamma)), state.value);
      const slope = mapTensors((e) => tf.neg(tf.mul(e, error)), state.trace);
      const m = mapTensors((m, g) => tf.add(tf.mul(m, 0.9), tf.mul(g!, 0.1)), state.m, slope);
      const v = mapTensors((v, g) => tf.add(tf.mul(v, 0.999), tf.mul(tf.square(g!), 0.001)), state.v, slope);
      const t = tf.add(state.t, 1);
      const rate = tf.div(tf.mul(lr, tf.sqrt(tf.sub(1, tf.pow(0.999, t)))), tf.sub(1, tf.pow(0.9, t)));
      const next = mapTensors(
        (w, m, v) => tf.sub(w, tf.mul(rate, tf.div(m!, tf.add(tf.sqrt(v!), 1e-8)))),
        state.weights,
        m,
        v,
      );
      const trace = mapTensors((e, g) => tf.add(tf.mul(e, gamma * lambda), g!), state.trace, grads);
      return [{ weights: next, carried: aux, trace, m, v, value, t }, value] as const;
    },
  );
  let state = { weights, carried, trace: zeros(), m: zeros(), v: zeros(), value: tf.scalar(0), t: tf.scalar(0) };
  const errors: number[] = [];
  for (let from = 0; from + at <= moments; from += at) {
    const xs = {
      x: tf.tensor2d(x.slice(from * 4, (from + at) * 4), [at, 4]),
      reward: tf.tensor1d(reward.slice(from, from + at)),
    };
    const [next, values] = run(state as never, xs as never, null) as unknown as [typeof state, tf.Tensor];
    state = next;
    errors.push(...[...values.dataSync()].map((value, i) => (value - returns[from + i]!) ** 2));
  }
  return mean(errors.slice(Math.floor((moments * 2) / 3), moments - 60));
}

/** P196 and P274: what a signal announces ten moments later, by exact gradients in real time and by those of the last five moments. */
function announced(): Record<string, Study> {
  const moments = 6000;
  const found: Record<string, number[]> = {};
  for (const seed of [1, 2, 3])
    for (const [name, learner, width] of [
      ["columns", inRealTime(layers.columns(12), random(seed)), 12],
      ["element-wise lstm", inRealTime(layers.elstm(12), random(seed)), 12],
      ["lstm, the last 5 moments", truncated(8, 5, random(seed)), 8],
    ] as const) {
      const title = `squared error, ${name}`;
      found[title] = [...(found[title] ?? []), predictionError(learner, width, seed, moments)];
    }
  const [own, wise, other] = Object.values(found) as [number[], number[], number[]];
  const made = (headline: string, values: number[]): Study => ({
    headline,
    outcome: outcomeOf(apart(other, values)),
    figures: bands(found),
    seeds: 3,
  });
  return {
    P196: made(
      "Columns with exact gradients in real time predict better than truncated backpropagation through time of like cost",
      own,
    ),
    P274: made("Exact real-time gradients of element-wise recurrence learn online what truncated ones do not", wise),
  };
}

/** P308: the parity of the last N bits, N growing: one head that moves on, or a head for each N. */
function curricula(): Study {
  const [most, length, rounds] = [8, 14, 26];
  const draw =
    (heads: readonly number[]) =>
    (count: number) =>
    (rng: Rng): Drawn => {
      const bits = Array.from({ length: count }, () => Array.from({ length }, () => rng.int(2)));
      const x = tf.tensor3d(bits.map((row) => row.map((bit) => [2 * bit - 1])));
      return { x, y: tf.tensor2d(bits.map((row) => heads.map((n) => row.slice(-n).reduce((a, b) => a + b, 0) % 2))) };
    };
  const all = Array.from({ length: most - 1 }, (_, i) => i + 2);
  const model = net()
    .rnn(32, { timescales: true, activation: "leakyRelu" })
    .last()
    .dense(2 * all.length)
    .reshape([all.length, 2]) as unknown as Model;
  const head = (out: tf.Tensor, n: number): tf.Tensor =>
    tf.reshape(tf.slice(out, [0, n - 2, 0], [out.shape[0]!, 1, 2]), [out.shape[0]!, 2]);
  const found: Record<string, number[]> = {};
  const note = (name: string, value: number): void => {
    found[name] = [...(found[name] ?? []), value];
  };
  for (const seed of [1, 2, 3])
    for (const way of ["one head", "a head for each"] as const) {
      let n = 2;
      let params: Params | undefined;
      for (let round = 0; round < rounds; round++) {
        const now = way === "one head" ? [n] : all.slice(0, n - 1);
        // the one head is the first, whatever it is asked
        const at = (i: number): number => (way === "one head" ? 2 : now[i]!);
        const loss = (out: tf.Tensor, y: tf.Tensor): tf.Tensor =>
          now
            .map((_, i) => entropy(head(out, at(i)), tf.slice(y, [0, i], [y.shape[0]!, 1])))
            .reduce((a, b) => tf.add(a, b));
        const made = fit(model, [length, 1], draw(now)(64), loss, {
          steps: 60,
          seed: seed * 100 + round,
          lr: 5e-3,
          ...(params && { from: params }),
        });
        params = made.params;
        const test = draw(now)(256)(random(3000 + seed));
        const out = given(model, params, test.x);
        const accuracy = right(
          head(out, at(now.length - 1)),
          tf.reshape(tf.slice(test.y, [0, now.length - 1], [256, 1]), [256]),
        );
        if (accuracy > 0.95 && n < most) n++;
      }
      const test = draw([2])(256)(random(4000 + seed));
      note(`the largest N that was begun, ${way}`, n);
      note(
        `accuracy at N = 2 in the end, ${way}`,
        right(head(given(model, params!, test.x), 2), tf.reshape(test.y, [256])),
      );
      const { timescale } = params!["1-rnn"] as { readonly timescale: tf.Tensor };
      note(`mean time constant, ${way}`, tf.mean(tf.maximum(timescale, 1)).dataSync()[0]!);
    }
  return {
    headline:
      "A head for each length keeps the shorter ones, keeps time constants short, and comes as far as one head that moves on",
    outcome: allOf(
      outcomeOf(
        apart(
          found["accuracy at N = 2 in the end, a head for each"]!,
          found["accuracy at N = 2 in the end, one head"]!,
        ),
      ),
      outcomeOf(apart(found["mean time constant, one head"]!, found["mean time constant, a head for each"]!)),
    ),
    figures: bands(found),
    seeds: 3,
  };
}

/** P120: the load of a link on which a failure elsewhere puts more, by liquid units that stay as they are and by a network that is fitted anew every day. */
function loads(): Study {
  const [window, day] = [12, 24];
  const found: Record<string, number[]> = {};
  for (const seed of [1, 2, 3, 4, 5]) {
    const rng = random(seed).at("loads");
    /** A series with failures, and for each moment how long ago the last one was. */
    const series = (
      days: number,
      size: (k: number) => number,
    ): { readonly load: number[]; readonly since: number[] } => {
      const load: number[] = [];
      const since: number[] = [];
      for (let t = 0; t < days * day; t++) {
        const k = Math.floor(t / (5 * day));
        const place = t % (5 * day);
        const failed = place >= 2 * day && place < 4 * day;
        const wave = 1 + 0.5 * Math.sin((2 * Math.PI * t) / day);
        const other = 1 + 0.5 * Math.sin((2 * Math.PI * t) / day + 2);
        load.push((wave + (failed ? size(k) * other : 0) + 0.05 * rng.normal()) / 2);
        since.push(failed ? place - 2 * day : -1);
      }
      return { load, since };
    };
    const history = series(40, (k) => [0.3, 1.5, 0.8, 2, 0.5, 1.2, 0.2, 1.8][k % 8]!);
    const windows = (of: readonly number[]) => of.slice(window).map((y, i) => ({ x: of.slice(i, i + window), y }));
    const tensors = (of: readonly { x: number[]; y: number }[]): Drawn => ({
      x: tf.tensor3d(of.map(({ x }) => x.map((v) => [v]))),
      y: tf.tensor2d(of.map(({ y }) => [y])),
    });
    const known = windows(history.load);
    const drawn =
      (from: typeof known) =>
      (rng: Rng): Drawn =>
        tensors(Array.from({ length: 32 }, () => from[rng.int(from.length)]!));
    const liquid = net().cfc(12, { hidden: 16 }).last().dense(1) as unknown as Model;
    const plain = net().flatten().dense(32).relu().dense(1) as unknown as Model;
    const one = fit(liquid, [window, 1], drawn(known), squared, { steps: 300, seed, lr: 5e-3 }).params;
    const begun = fit(plain, [window, 1], drawn(known), squared, { steps: 300, seed, lr: 5e-3 }).params;
    for (const [name, size] of [
      ["drastic", 3],
      ["mild", 0.3],
    ] as const) {
      const { load, since } = series(5, () => size);
      const all = windows(load);
      const errors: Record<string, number[]> = { liquid: [], refitted: [] };
      let params = begun;
      for (let from = 0; from < all.length; from += day) {
        const now = tensors(all.slice(from, from + day));
        for (const [who, model, own] of [
          ["liquid", liquid, one],
          ["refitted", plain, params],
        ] as const) {
          const out = given(model, own, now.x).dataSync();
          now.y.dataSync().forEach((y, i) => {
            const ago = since[window + from + i]!;
            if (ago >= 0 && ago < day) errors[who]!.push(Math.abs(out[i]! - y));
          });
        }
        // what came within the last two days is learnt anew
        const recent = all.slice(Math.max(0, from + day - 2 * day), from + day);
        if (recent.length >= day)
          params = fit(plain, [window, 1], drawn(recent), squared, {
            steps: 40,
            seed: seed + from,
            lr: 5e-3,
            from: params,
          }).params;
      }
      for (const [who, values] of Object.entries(errors)) {
        const title = `error in the day after a ${name} failure, ${who}`;
        found[title] = [...(found[title] ?? []), mean(values)];
      }
    }
  }
  return {
    headline:
      "After drastic failures a liquid network that stays as it is errs less than a network that is fitted anew now and then",
    outcome: outcomeOf(
      apart(
        found["error in the day after a drastic failure, refitted"]!,
        found["error in the day after a drastic failure, liquid"]!,
      ),
    ),
    figures: bands(found),
    seeds: 5,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const isWanted = (...ids: readonly string[]): boolean => wanted.length === 0 || ids.some((id) => wanted.includes(id));
if (isWanted("P120")) study("P120", loads());
if (isWanted("P308")) study("P308", curricula());
if (isWanted("P196", "P274")) for (const [id, found] of Object.entries(announced())) study(id, found);
