/** Networks of many sizes that are pretrained at once, in plain operations. */
import { elasticPretrain, random, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import { viewOf } from "../../lib/strategies/parts/views.ts";
import { contextOf, dot, hooksOf, length, noisy, normal, small, stepOf, times, transposed, unit } from "./by-hand.ts";

const { net, weights } = small([4, 6], 3, 3);
const x = normal(5, 3, 2);
const views = { shiftPixels: 0, flip: 0, noise: 0.2, hide: 0 };
const own = elasticPretrain({
  prototypes: [3, 4],
  units: 5,
  narrow: 2,
  intact: 0.7,
  koleo: 0.3,
  temperature: 0.5,
  sharpness: 0.4,
  ...views,
  widths: [0.5, 1],
});
const hooks = hooksOf(own);
const heads = hooks.parameters(contextOf(net, weights, { rng: random(4) }));
const withHeads = { ...weights, added: { elasticPretrain: heads } } as never as typeof weights;
const slow = noisy(withHeads, random(9));
const carried = {
  model: slow.model,
  heads: (slow as never as { added: { elasticPretrain: object } }).added.elasticPretrain,
};
type Plain = number[][];
const rows = (t: tf.Tensor): Plain => t.arraySync() as Plain;

/** Features with the first units of two hidden layers. */
function features(of: typeof weights, input: Plain, counts: readonly [number, number]): Plain {
  let now = input;
  (Object.values(of.model) as { kernel: tf.Tensor; bias: tf.Tensor }[]).forEach(({ kernel, bias }, l) => {
    const b = [...bias.dataSync()];
    now = times(now, rows(kernel)).map((row) => row.map((v, j) => (j < counts[l]! ? Math.max(0, v + b[j]!) : 0)));
  });
  return now;
}
const cosines = (f: Plain, head: { first: tf.Tensor; second: tf.Tensor; prototypes: tf.Tensor }): Plain => {
  const hidden = times(f, rows(head.first)).map((row) => row.map((v) => Math.max(0, v)));
  const vectors = times(hidden, rows(head.second)).map((row) => (length(row) > 1e-5 ? unit(row) : row));
  return times(vectors, transposed(rows(head.prototypes).map(unit)));
};
const softmax = (z: readonly number[], t: number): number[] => {
  const e = z.map((v) => Math.exp(v / t));
  return e.map((v) => v / e.reduce((a, b) => a + b, 0));
};
const cross = (p: Plain, z: Plain): number =>
  -p.reduce((sum, row, i) => sum + row.reduce((s, v, c) => s + v * Math.log(softmax(z[i]!, 0.5)[c]!), 0), 0) / p.length;
const sinkhorn = (z: Plain): Plain => {
  let q = z.map((row) => row.map((v) => Math.exp(v / 0.4)));
  for (let round = 0; round < 3; round++) {
    const columns = transposed(q).map((column) => column.reduce((a, b) => a + b, 0));
    q = q.map((row) => row.map((v, c) => v / columns[c]!));
    q = q.map((row) => row.map((v) => v / row.reduce((a, b) => a + b, 0)));
  }
  return q;
};
const koleo = (f: Plain): number => {
  const units = f.map((row) => (length(row) > 1e-5 ? unit(row) : row));
  // features that are all 0 have a cosine of 0 to every other
  const nearest = units.map((a, i) => Math.max(...units.flatMap((b, j) => (i === j ? [] : [dot(a, b)]))));
  return -nearest.reduce((sum, cos) => sum + Math.log(Math.sqrt(2 - 2 * cos + 1e-6)), 0) / f.length;
};

describe("P343: pretraining once for all sizes", () => {
  test("the whole learns from the teacher's other view, the part from that and from the whole's same view", () => {
    const rng = random(5);
    const mask = tf.tensor1d([1, 1, 0, 0, 1, 1, 1, 0, 0, 0]);
    const step = stepOf({ net, weights: withHeads, x, extra: { mask, gates: tf.zeros([0]) }, rng });
    const seen = ["one", "two"].map((name) => rows(viewOf(step.x, rng.at("elasticPretrain", name), views)));
    const whole = seen.map((view) => features(weights, view, [4, 6]));
    const part = seen.map((view) => features(weights, view, [2, 3]));
    const taught = seen.map((view) => features(slow, view, [4, 6]));
    let wanted = 0;
    for (const name of ["head0", "head1"]) {
      const head = (heads as Record<string, never>)[name]!;
      const [s, e] = [whole.map((f) => cosines(f, head)), part.map((f) => cosines(f, head))];
      const all = sinkhorn(taught.flatMap((f) => cosines(f, (carried.heads as Record<string, never>)[name]!)));
      const t = [all.slice(5), all.slice(0, 5)];
      for (const i of [0, 1])
        wanted +=
          (0.7 * cross(t[i]!, s[i]!) +
            0.3 *
              (cross(t[i]!, e[i]!) +
                cross(
                  s[i]!.map((z) => softmax(z, 0.5)),
                  e[i]!,
                ))) /
          4;
    }
    wanted += (0.3 * [...whole, ...part].reduce((sum, f) => sum + koleo(f), 0)) / 4;
    expect(hooks.taskLoss({ carried }, step).dataSync()[0]!).toBeCloseTo(wanted, 3);
  });

  test("every part but the whole comes once, then again in another order", () => {
    const all = hooksOf(elasticPretrain({ widths: [0.25, 0.5, 1] }));
    const seenAt = (step: number): string =>
      all
        .batch({}, { extra: {} } as never, { network: net, rng: random(1), step } as never)
        .extra.elasticPretrain!.mask!.data.join("");
    for (const round of [0, 1, 2, 3])
      expect(new Set([seenAt(2 * round), seenAt(2 * round + 1)])).toEqual(new Set(["1000110000", "1100111000"]));
    expect(() => hooksOf(elasticPretrain({ widths: [1] })).init(contextOf(net, withHeads))).toThrow("a width below 1");
  });

  test("the teacher follows slowly", () => {
    const after = noisy(withHeads, random(11));
    const next = hooks.update({ carried }, { after } as never, {} as never) as never as typeof carried;
    const kernel = (of: object): number[] => {
      const layer = Object.values(of)[0] as { kernel: tf.Tensor };
      return [...layer.kernel.dataSync()];
    };
    kernel(next.model).forEach((v, i) => {
      expect(v).toBeCloseTo(0.99 * kernel(slow.model)[i]! + 0.01 * kernel(after.model)[i]!, 5);
    });
  });
});
