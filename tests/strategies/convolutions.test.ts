import { describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { fromArrays } from "../../lib/data/from-arrays.ts";
import { decode, random, tf } from "../../lib/engine/index.ts";
import { net as begin, network, resnet18 } from "../../lib/models/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { windows } from "../../lib/models/parts/windows.ts";
import { adam, sgd } from "../../lib/optim/index.ts";
import { continualBackprop, cuber, gpm, hat, owm, pnn, xdg } from "../../lib/strategies/index.ts";
import { layerAt } from "../../lib/strategies/parts/layers.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { evaluator } from "../../lib/train/evaluate.ts";
import { frozenOf } from "../../lib/train/held.ts";
import { open, type Session } from "../../lib/train/session.ts";
import { evaluation } from "../../lib/train/spec.ts";
import { close, contextOf, hooksOf, matrix, meanRow, noisy, solved, transposed } from "./by-hand.ts";
import { run, spec } from "./support.ts";

/** Four classes of small images, told apart by where they are bright; two tasks of two. */
const rng = random(4).at("images");
const labels = Array.from({ length: 80 }, (_, i) => i % 4);
const pixels = Float32Array.from({ length: 80 * 25 }, (_, i) => {
  const [label, at] = [labels[Math.floor(i / 25)]!, i % 25];
  return rng.uniform() * 0.4 + (at % 4 === label ? 0.6 : 0);
});
const data = fromArrays(pixels, labels, { shape: [5, 5, 1], kind: "image", test: { x: pixels, y: labels } });
const told = scenario("task")(split(2)(classes(data))) as unknown as Stream;
const untold = split(2)(classes(data)) as unknown as Stream;
const model = begin().conv(3, 3).relu().pool(2).conv(4, 2).relu().flatten().dense(8).relu();

test.each([
  ["same", 1, 1],
  ["valid", 1, 1],
  ["same", 2, 1],
  ["valid", 1, 2],
] as const)(
  "the rows of a convolution times its kernel are what it gives (%s, stride %i, dilation %i)",
  (pad, stride, dilation) => {
    const x = random(1).normals([2, 6, 7, 2]) as tf.Tensor4D;
    const kernel = random(2).normals([3, 3, 2, 4]) as tf.Tensor4D;
    const wanted = tf.conv2d(x, kernel, stride, pad, "NHWC", dilation);
    const rows = windows(x, 3, { stride, dilation, pad });
    const got = tf.matMul(rows, tf.reshape(kernel, [18, 4]) as tf.Tensor2D);
    close([...got.dataSync()], [...wanted.dataSync()], 4);
  },
);

describe("projections", () => {
  // one window for each image, so that four images leave directions free
  const net = network(begin().conv(3, 3, { pad: "valid" }).flatten() as never, [3, 3, 2]);
  const weights = net.init(random(5), 2);
  const context = contextOf(net, weights);
  const drawn = random(6).fillNormal(new Float32Array(4 * 18));
  const { train } = fromArrays(drawn, [0, 1, 0, 1], {
    shape: [3, 3, 2],
    kind: "image",
    test: { x: drawn, y: [0, 1, 0, 1] },
  });
  const images = tf.tensor4d(gather(train, Uint32Array.of(0, 1, 2, 3)), [4, 3, 3, 2]);
  const slope = noisy(weights, random(7));

  test.each([["gpm", gpm({ share: 1, samples: 4 })]] as const)(
    "%s moves a convolution so that what it gives for past images stays",
    (_, strategy) => {
      const hooks = hooksOf(strategy);
      const state = hooks.afterExperience(hooks.init(context), { train, task: 0 } as never, context);
      const changed = layerAt(hooks.gradient(state, slope, {} as never), "model/1-conv");
      const move = tf.add(tf.conv2d(images as tf.Tensor4D, changed.kernel as tf.Tensor4D, 1, "valid"), changed.bias!);
      close([...move.dataSync()], Array(12).fill(0), 3);
      expect(Math.max(...tf.abs(changed.kernel).dataSync())).toBeGreaterThan(0.01);
    },
  );

  test("owm's projector of a convolution is made of its mean window", () => {
    const alpha = 0.3;
    const hooks = hooksOf(owm({ alpha }));
    const state = hooks.afterExperience(hooks.init(context), { train, task: 0 } as never, { ...context, batch: 4 });
    const changed = layerAt(hooks.gradient(state, slope, {} as never), "model/1-conv");
    const mean = meanRow((matrix(tf.reshape(images, [4, 18])) as number[][]).map((row) => [...row, 1]));
    const inverse = mean.map((a, i) => mean.map((b, j) => +(i === j) + (a * b) / alpha));
    const given = layerAt(slope, "model/1-conv");
    const columns = transposed([...matrix(tf.reshape(given.kernel, [18, 3])), [...given.bias!.dataSync()]]);
    const wanted = transposed(columns.map((column) => solved(inverse, column)));
    close(matrix(tf.reshape(changed.kernel, [18, 3])).flat(), wanted.slice(0, -1).flat(), 3);
    close([...changed.bias!.dataSync()], wanted.at(-1)!, 3);
  });

  test.each([
    ["gpm", gpm({ share: 0.9, samples: 20 })],
    ["cuber", cuber({ share: 0.9, samples: 20 })],
    ["owm", owm()],
  ] as const)("%s forgets less than plain descent on images", (_, strategy) => {
    const lost = (...strategies: Strategy[]): number => {
      const settings = { model: model as never, optimizer: sgd({ lr: 0.2 }) };
      const { events } = run(spec(told, strategies, settings));
      const of = (after: number): number =>
        events.flatMap((e) =>
          e.type === "evaluated" && e.at === "experience" && e.after === after && e.on === 0 ? [e.loss] : [],
        )[0]!;
      return of(1) - of(0);
    };
    expect(lost(strategy)).toBeLessThan(lost());
  });
});

/** A run of two tasks, stopped behind the first and at its end, with what the network then says for the images of the first. */
function ofFirst(strategy: Strategy): { readonly before: number[]; readonly after: number[] } {
  const given = spec(told, [strategy], { model: model as never, optimizer: adam({ lr: 0.02 }) });
  const session = open(given, 0, "test");
  const said = (): number[] => {
    const { states } = decode(session.save()) as unknown as { states: never };
    const judge = evaluator(session.network, [strategy]);
    const frozen = frozenOf([strategy], states, session.learner, session.learner.weights);
    return [...judge.outputs(frozen, told.test(0).examples, 0).logits];
  };
  while (session.cursor.experience === 0) session.advance();
  const before = said();
  while (session.advance());
  const after = said();
  session.dispose();
  return { before, after };
}

describe("architectures", () => {
  const columnsOf = (logits: readonly number[]): number[] => logits.filter((_, i) => i % 4 < 2);

  test("pnn's columns of convolutions stay bit for bit, and see those before them", () => {
    const { before, after } = ofFirst(pnn());
    expect(columnsOf(after)).toEqual(columnsOf(before));
  });

  test("hat spares the channels that the first task uses", () => {
    const { before, after } = ofFirst(hat({ sharpest: 400, c: 0 }));
    const spread = Math.max(...columnsOf(before)) - Math.min(...columnsOf(before));
    const moved = columnsOf(after).map((v, i) => Math.abs(v - columnsOf(before)[i]!));
    expect(Math.max(...moved)).toBeLessThan(0.02 * spread);
    expect(spread).toBeGreaterThan(0.1);
  });

  test("xdg leaves what leads into closed channels untouched, bit for bit", () => {
    const session: Session = open(
      spec(told, [xdg({ gate: 0.5 })], { model: model as never, optimizer: adam({ lr: 0.01 }) }),
      0,
      "test",
    );
    while (session.cursor.phase !== "train") session.advance();
    const { states } = decode(session.save()) as unknown as { states: { xdg: { tensors: Record<string, tf.Tensor> } } };
    const open0 = (states.xdg.tensors["model/1-conv"]!.arraySync() as number[][])[0]!;
    const kernel = (): Float32Array =>
      layerAt(session.learner.weights, "model/1-conv").kernel.dataSync() as Float32Array;
    const before = kernel().slice();
    while (session.cursor.phase === "train") session.advance();
    const after = kernel();
    const moved = open0.map((_, channel) => [...after].some((v, i) => i % 3 === channel && v !== before[i]));
    expect(moved).toEqual(open0.map((one) => one === 1));
    session.dispose();
  });

  test("a network whose layers do not follow one another is refused in a sentence", () => {
    const given = spec(told, [pnn()], { model: resnet18({ filters: 1 }) as never });
    expect(() => run(given)).toThrow(/^pnn: a model of dense layers and convolutions is required/);
    const turned = begin().conv(2, 3).reshape([25, 2]).flatten().dense(3);
    expect(() => run(spec(told, [xdg()], { model: turned as never }))).toThrow(
      /^xdg: dense layers and convolutions in a row are required, got reshape/,
    );
  });
});

test("continual backprop renews channels: new windows, and nothing leaves them, at any place of the flattened image", () => {
  const session = open(
    spec(untold, [continualBackprop({ rate: 1, maturity: 0 })], {
      model: model as never,
      optimizer: sgd({ lr: 1e-9 }),
      evaluation: evaluation({ everySteps: 1 }),
    }),
    0,
    "test",
  );
  const weights = (): Weights => session.learner.weights;
  const start = layerAt(weights(), "model/4-conv").kernel.dataSync().slice();
  while (session.cursor.phase !== "train") session.advance();
  session.advance();
  const now = layerAt(weights(), "model/4-conv").kernel.dataSync();
  const renewed = [0, 1, 2, 3].filter((channel) =>
    [...now].some((v, i) => i % 4 === channel && Math.abs(v - start[i]!) > 1e-4),
  );
  expect(renewed.length).toBeGreaterThan(0);
  const bound = 1 / Math.sqrt(2 * 2 * 3);
  const out = matrix(layerAt(weights(), "model/7-dense").kernel);
  for (const channel of renewed) {
    for (let i = channel; i < now.length; i += 4) expect(Math.abs(now[i]!)).toBeLessThanOrEqual(bound + 1e-6);
  }
  // all four places of the channel, but for the unit of the dense layer that has begun anew itself
  const quiet = (row: readonly number[]): boolean => row.filter((v) => Math.abs(v) > 1e-6).length <= 1;
  const silent = [0, 1, 2, 3].filter((channel) => out.every((row, i) => i % 4 !== channel || quiet(row)));
  expect(out.length).toBe(16);
  expect(silent.length).toBeGreaterThan(0);
  expect(renewed).toEqual(expect.arrayContaining(silent));
  session.dispose();
});
