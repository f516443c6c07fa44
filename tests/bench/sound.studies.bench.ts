/** Studies of rows of the systems catalogue about sound: `npx tsx tests/bench/sound.studies.bench.ts`. Half a minute. */
import {
  adam,
  ddsp,
  jit,
  type Model,
  mapTensors,
  net,
  type Params,
  random,
  spectralLoss,
  type Tree,
  tape,
  tf,
  valueAndGrad,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const [frames, hop, rate, seeds, steps, batch] = [12, 64, 4000, 3, 200, 16];

/** Notes of an instrument whose upper harmonics are the louder the louder it is: frames of pitch and loudness, and samples. */
function notes(seed: number, count: number, low: number, high: number): readonly [x: tf.Tensor, y: tf.Tensor] {
  const draws = random(seed).uniforms([count, 3], 0, 1).dataSync();
  const given: number[] = [];
  const samples: number[] = [];
  for (let i = 0; i < count; i++) {
    const [where, loudness, bend] = draws.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
    const noteAt = (t: number): number => low + (high - low) * where + (bend - 0.5) * t;
    for (let k = 0; k < frames; k++) given.push(noteAt(k / frames) / 127, loudness);
    let turns = 0;
    for (let t = 0; t < frames * hop; t++) {
      const hertz = 440 * 2 ** ((noteAt(t / hop / frames) - 69) / 12);
      turns += hertz / rate;
      let v = 0;
      for (let h = 1; h <= 6 && h * hertz < rate / 2; h++)
        v += ((0.2 + 0.3 * loudness) * Math.sin(2 * Math.PI * h * turns)) / h ** (2.5 - 2 * loudness);
      samples.push(v);
    }
  }
  return [tf.tensor(given, [count, frames, 2]), tf.tensor(samples, [count, frames * hop])];
}

/** P356: notes from 52 to 64 are learned; new ones among them and an octave above are played, by an oscillator and by a decoder of samples of about as many weights. */
async function instruments(): Promise<Study> {
  const models: Record<string, Model> = {
    oscillator: ddsp({ harmonics: 12, bands: 9, hop, rate, hidden: 32 }) as unknown as Model,
    "decoder of samples": net()
      .dense(32)
      .layerNorm()
      .leakyRelu()
      .gru(32)
      .dense(hop)
      .reshape([frames * hop, 1]) as unknown as Model,
  };
  const found: Record<string, number[]> = {};
  const { mode } = tape(false, null, {});
  for (let seed = 0; seed < seeds; seed++) {
    const [x, y] = notes(seed, 128, 52, 64);
    const among = notes(100 + seed, 32, 52, 64);
    const above = notes(200 + seed, 32, 66, 76);
    for (const [name, model] of Object.entries(models)) {
      const optimizer = adam({ lr: 3e-3 });
      let params = model.init(random(seed), [frames, 2]);
      let state = optimizer.init(params as Tree);
      const step = jit((params: Params, state: Tree, x: tf.Tensor, y: tf.Tensor): readonly [Params, Tree] => {
        const { grads } = valueAndGrad((p: Params) => spectralLoss(y, model.apply(p, x, mode)), params);
        const [updates, next] = optimizer.update(grads as Tree, state, params as Tree, tf.scalar(3e-3));
        return [mapTensors((w, update) => tf.add(w, update), params, updates as Params), next];
      });
      for (let i = 0; i < steps; i++) {
        const from = (i * batch) % 128;
        [params, state] = step(
          params,
          state,
          tf.slice(x, [from, 0, 0], [batch, frames, 2]),
          tf.slice(y, [from, 0], [batch, frames * hop]),
        );
      }
      for (const [where, [given, wanted]] of [
        ["new notes", among],
        ["notes above", above],
      ] as const) {
        const loss = spectralLoss(wanted, model.apply(params, given, mode)).dataSync()[0]!;
        const silent = spectralLoss(wanted, tf.zerosLike(wanted)).dataSync()[0]!;
        (found[`${where}, ${name}`] ??= []).push(loss / silent);
      }
      console.log(
        seed,
        name,
        Object.values(found).map((values) => values.at(-1)),
      );
    }
  }
  return {
    headline:
      "A decoder that plays an oscillator and filtered noise gives new notes again, and notes above those it learned, without drawing samples one by one",
    outcome: allOf(
      outcomeOf(found["new notes, oscillator"]!.map((share) => 0.5 - share)),
      outcomeOf(found["notes above, oscillator"]!.map((share) => 0.5 - share)),
      outcomeOf(apart(found["notes above, decoder of samples"]!, found["notes above, oscillator"]!)),
    ),
    figures: Object.fromEntries(
      Object.entries(found).map(([name, values]) => [`spectral loss, in that of silence, ${name}`, band(values)]),
    ),
    seeds,
  };
}

study("P356", await instruments());
