/** Layers that make sound, beside plain arithmetic and finite differences. */
import { ddsp, jit, type Layer, layers, type Params, random, spectralLoss, tape, tf } from "thalweg";
import { expect, test } from "vitest";
import { slopeAlong } from "./slope.ts";

const { mode } = tape(false, null, {});
const loud = (v: number): number => 2 * (1 / (1 + Math.exp(-v))) ** Math.log(10) + 1e-7;

test("P356 DDSP: an oscillator is the sum of its harmonics below half the rate", () => {
  const [frames, hop, rate, hertz] = [3, 8, 1000, 150];
  const layer = layers.harmonicOscillator({ hop, rate }) as Layer;
  const row = [hertz, 0.5, 1, -1, 0.3, 2];
  const y = layer.apply(tf.tensor3d([[row, row, row]]), {}, mode).dataSync();
  expect(y).toHaveLength(frames * hop);
  // 150, 300 and 450 hertz are heard, 600 is not
  const shares = row.slice(2, 5).map(loud);
  const sum = shares.reduce((a, b) => a + b);
  y.forEach((v, t) => {
    const wanted = shares.reduce(
      (all, share, h) => all + loud(0.5) * (share / sum) * Math.sin((2 * Math.PI * (h + 1) * hertz * (t + 1)) / rate),
      0,
    );
    expect(v).toBeCloseTo(wanted, 4);
  });
  const midi = layers.harmonicOscillator({ hop, rate, pitch: "midi" }) as Layer;
  const note = layer.apply(tf.tensor3d([[[440, 0, 0]]]), {}, mode);
  const same = midi.apply(tf.tensor3d([[[69 / 127, 0, 0]]]), {}, mode);
  expect(tf.max(tf.abs(tf.sub(note, same))).dataSync()[0]).toBeLessThan(1e-4);
});

test("P356 DDSP: noise through bands that are equally loud is the noise, and through one is a filter by hand", () => {
  const [frames, hop, bands] = [3, 8, 5];
  const layer = layers.filteredNoise({ hop, bias: 0 }) as Layer;
  const noise = random(0).at("noise").uniforms([1, frames, hop], -1, 1).dataSync();
  const flat = layer.apply(tf.zeros([1, frames, bands]), {}, mode).dataSync();
  flat.forEach((v, t) => {
    expect(v).toBeCloseTo(loud(0) * noise[t]!, 5);
  });
  const low = [1, -30, -30, -30, -30];
  const y = layer.apply(tf.tensor3d([[low, low, low]]), {}, mode).dataSync();
  const size = 2 * (bands - 1);
  const taps = Array.from(
    { length: size },
    (_, j) => (loud(1) / size) * (0.5 - 0.5 * Math.cos((2 * Math.PI * j) / size)),
  );
  y.forEach((v, t) => {
    const wanted = taps.reduce((sum, tap, j) => sum + tap * (noise[t + size / 2 - j] ?? 0), 0);
    expect(v).toBeCloseTo(wanted, 4);
  });
});

test("P356 DDSP: a room adds what its response says, later", () => {
  const layer = layers.reverb(3) as Layer;
  const y = layer.apply(tf.tensor3d([[[1], [0], [2], [0]]]), { response: tf.tensor2d([[9, 0.5, 0.25]]) }, mode);
  [...y.dataSync()].forEach((v, i) => {
    expect(v).toBeCloseTo([1, 0.5, 2.25, 1][i]!, 5);
  });
});

test("P356 DDSP: the spectral loss is that of short Fourier transforms by hand", () => {
  const [a, b] = [random(1), random(2)].map((rng) => rng.normals([1, 8], 0, 1));
  const size = 4;
  const spectrum = (x: tf.Tensor): number[] => {
    const values = [...x.dataSync()];
    return values.flatMap((_, from) =>
      [0, 1, 2].map((bin) => {
        let [re, im] = [0, 0];
        for (let j = 0; j < size; j++) {
          const v = (values[from + j] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * j) / size));
          re += v * Math.cos((2 * Math.PI * j * bin) / size);
          im += v * Math.sin((2 * Math.PI * j * bin) / size);
        }
        return Math.hypot(re, im);
      }),
    );
  };
  const [one, other] = [spectrum(a!), spectrum(b!)];
  const log = (v: number): number => Math.log(Math.max(v, 1e-5));
  const wanted =
    one.reduce((sum, v, i) => sum + Math.abs(v - other[i]!) + Math.abs(log(v) - log(other[i]!)), 0) / one.length;
  expect(spectralLoss(a!, b!, { sizes: [4] }).dataSync()[0]).toBeCloseTo(wanted, 3);
  expect(() => spectralLoss(a!, tf.zeros([1, 9]))).toThrow("of one shape");
});

test("P356 DDSP: a decoder makes sound, and its loss has the slope of finite differences", () => {
  const model = ddsp({ harmonics: 4, bands: 5, hop: 16, rate: 1000, hidden: 8, depth: 1, room: 8 });
  expect(model.features([6, 2])).toEqual([96, 1]);
  const params = model.init(random(3), [6, 2]);
  const x = random(4).uniforms([2, 6, 2], 0.3, 0.5);
  const weigh = random(5).normals([2, 96, 1], 0, 1);
  const loss = jit((given: { params: Params }) => tf.sum(tf.mul(model.apply(given.params, x, mode), weigh)));
  expect(Math.abs(slopeAlong(loss as never, { params } as never, 1e-3) - 1)).toBeLessThan(0.02);
  // beside silence, and without logarithms of next to nothing, the loss has no corner
  const silence = tf.zeros([2, 96]);
  const apart = jit((given: { x: tf.Tensor }) => spectralLoss(silence, given.x, { sizes: [16, 32], logarithms: 0 }));
  expect(Math.abs(slopeAlong(apart as never, { x: random(6).normals([2, 96], 0, 1) } as never, 1e-2) - 1)).toBeLessThan(
    0.02,
  );
});
