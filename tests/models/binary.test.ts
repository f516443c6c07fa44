/** P231 BI-DiffSR: binary convolutions by the time and the U-Net of them, beside PyTorch and sums by hand. */
import { readFileSync } from "node:fs";
import {
  layers as all,
  biUnet,
  diffusion,
  disposeTree,
  type Layer,
  type Model,
  net,
  network,
  type Params,
  parameters,
  random,
  sameLayer,
  sample,
  table,
  tape,
  tf,
  trained,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { noisingOf, told } from "../../lib/models/parts/conditioned.ts";
import type { Step } from "../../lib/strategies/strategy.ts";
import { peerNumbers } from "../support/peer-numbers.ts";

interface Peer {
  readonly parameters: readonly (readonly [path: string, shape: number[]])[];
  readonly shape: readonly number[];
  readonly out: readonly number[];
  readonly gradients: readonly number[];
  readonly input: number;
}
type Peers = Readonly<Record<string, Peer>>;
const { binaryConv, coarse, consistentDown, consistentUp, shuffleFusion } = all;
const peers = JSON.parse(readFileSync(new URL("./peers/binary-unet.json", import.meta.url), "utf8")) as Peers;
const scalar = (x: tf.Tensor): number => x.dataSync()[0]!;
const numbers = (x: tf.Tensor): number[] => [...x.dataSync()];
const modeAt = (times?: readonly number[]) =>
  tape(false, null, {}, { beside: times && { time: tf.tensor1d([...times]) } }).mode;

/** The tensors of a peer in the tree that a layer has them in. */
function treeOf({ parameters }: Peer, leaf: (i: number, path: string, shape: readonly number[]) => tf.Tensor): Params {
  const tree: { [name: string]: tf.Tensor | { [name: string]: tf.Tensor } } = {};
  parameters.forEach(([path, shape], i) => {
    const [part, name] = path.split("/") as [string, string | undefined];
    if (name === undefined) tree[part] = leaf(i, path, shape);
    else (tree[part] ??= {} as never)[name as never] = leaf(i, path, shape) as never;
  });
  return tree as Params;
}

describe("beside PyTorch", () => {
  const layers: Readonly<Record<string, Layer>> = {
    binaryConv: binaryConv(4, 3),
    wider: binaryConv(6, 3),
    consistentDown: consistentDown(),
    consistentUp: consistentUp(),
    shuffleFusion: shuffleFusion("other"),
  };
  test.each(Object.entries(layers))("%s gives what is given there, and so do its gradients", (name, layer) => {
    const peer = peers[name]!;
    const params = treeOf(peer, (i, path, shape) => peerNumbers(i, shape, 0, path.endsWith("kernel") ? 3 : 1.5));
    const drawn = layer.init!(random(0), [4, 4, 4], new Map([["other", [4, 4, 4]]]));
    treeOf(peer, (_, path, shape) => {
      const own = path.split("/").reduce<Params>((at, part) => at[part] as Params, drawn) as unknown as tf.Tensor;
      expect([path, own.shape]).toEqual([path, shape]);
      return own;
    });
    const x = peerNumbers(1000, [4, 4, 4, 4], 0, 3);
    const weighed = peerNumbers(2000, peer.shape);
    const through = (own: Params, x: tf.Tensor): tf.Tensor => {
      const other = tf.mul(tf.mul(x, tf.reverse(x, 3)), 30);
      return layer.apply(x, own, modeAt([0, 150, 200, 999]), new Map([["other", other]]));
    };
    const out = through(params, x);
    expect(out.shape).toEqual(peer.shape);
    out.dataSync().forEach((v, i) => {
      expect(v).toBeCloseTo(peer.out[i]!, 3);
    });
    const { grads } = valueAndGrad(
      ({ own, x }: { own: Params; x: tf.Tensor }) => tf.sum(tf.mul(through(own, x), weighed)) as tf.Scalar,
      { own: params, x },
    );
    const near = (got: number, wanted: number, what: string): void => {
      expect(Math.abs(got - wanted) / Math.max(1, Math.abs(wanted)), what).toBeLessThan(1e-3);
    };
    treeOf(peer, (i, path, shape) => {
      const own = path.split("/").reduce<Params>((at, part) => at[part] as Params, grads.own) as unknown as tf.Tensor;
      near(scalar(tf.sum(tf.mul(own, peerNumbers(3000 + i, shape)))), peer.gradients[i]!, path);
      return own;
    });
    near(scalar(tf.sum(tf.mul(grads.x, peerNumbers(2999, x.shape)))), peer.input, "input");
    disposeTree([params, drawn, grads, x, out, weighed] as never);
  });
});

describe("by hand", () => {
  const one = (kernel: number): Params => ({
    kernel: tf.tensor4d([kernel], [1, 1, 1, 1]),
    threshold: tf.tensor2d([[-0.5]]),
    before: tf.tensor2d([[-1]]),
    slope: tf.tensor2d([[0.25]]),
    after: tf.tensor2d([[0.1]]),
  });

  test("a binary convolution of one number, and the gradients that stand for those of its signs", () => {
    // sign(0.3 − 0.5) = −1, times −0.8 is 0.8; less 1 is −0.2, a quarter of it −0.05, with 0.1 and the 0.3 that passes by 0.35
    const layer = binaryConv(1, 1, { spans: 1 });
    const at = (kernel: number) =>
      valueAndGrad(({ own, x }: { own: Params; x: tf.Tensor }) => tf.sum(layer.apply(x, own, modeAt())) as tf.Scalar, {
        own: one(kernel),
        x: tf.tensor4d([0.3], [1, 1, 1, 1]),
      });
    const { value, grads } = at(-0.8);
    expect(scalar(value)).toBeCloseTo(0.35, 6);
    // 1 + 0.25 · (−0.8) · 2 (1 − 0.2); the kernel's has no size in it
    expect(scalar(grads.x)).toBeCloseTo(0.68, 6);
    expect(scalar(grads.own.kernel as tf.Tensor)).toBeCloseTo(-0.25, 6);
    expect(Math.abs(scalar(at(-1.2).grads.own.kernel as tf.Tensor))).toBe(0);
  });

  test("thresholds and activations are those of the time's span", () => {
    const layer = binaryConv(1, 1);
    const row = (...values: number[]): tf.Tensor => tf.tensor2d(values, [5, 1]);
    const params = {
      kernel: tf.tensor4d([1], [1, 1, 1, 1]),
      threshold: row(1, -1, 1, -1, 1),
      before: tf.zeros([5, 1]),
      slope: row(1, 1, 1, 3, 1),
      after: row(10, 20, 30, 40, 50),
    };
    const times = [0, 199, 200, 399, 400, 600, 799, 800, 999, 1000];
    const out = layer.apply(tf.zeros([10, 1, 1, 1]), params, modeAt(times));
    expect(numbers(out)).toEqual([11, 11, 19, 19, 31, 37, 37, 51, 51, 51]);
    expect(numbers(layer.apply(tf.zeros([2, 1, 1, 1]), params, modeAt()))).toEqual([11, 11]);
    // each fifth of a schedule of 300 steps, whose times are no whole numbers, is a span
    const noising = noisingOf(net().conditions(2, { steps: 300 }) as unknown as Model)!;
    const { time } = told(noising, tf.range(0, 300), null);
    const seen = numbers(layer.apply(tf.zeros([300, 1, 1, 1]), params, modeAt(numbers(time!))));
    expect(seen).toEqual([11, 19, 31, 37, 51].flatMap((value) => new Array<number>(60).fill(value)));
  });

  /** Layers whose kernels are 0 let through what passes by. */
  const passing = (layer: Layer, x: tf.Tensor, other: tf.Tensor = x): tf.Tensor => {
    const shapes = new Map([["other", other.shape.slice(1)]]);
    const drawn = layer.init!(random(0), x.shape.slice(1), shapes) as { [part: string]: Params };
    const still = Object.fromEntries(
      Object.entries(drawn).map(([part, own]) => [part, { ...own, kernel: tf.zerosLike(own.kernel as tf.Tensor) }]),
    );
    return layer.apply(x, still as Params, modeAt(), new Map([["other", other]]));
  };

  test("down: the pixels of a square become channels; up: channels become the pixels of a square; no number is changed or lost", () => {
    const pairs = [1, 10, 2, 20, 3, 30, 4, 40];
    const down = passing(consistentDown(), tf.tensor4d(pairs, [1, 2, 2, 2]));
    expect([down.shape, numbers(down)]).toEqual([
      [1, 1, 1, 4],
      [11, 22, 33, 44],
    ]);
    const up = passing(consistentUp(), down);
    expect([up.shape, numbers(up)]).toEqual([
      [1, 2, 2, 2],
      [11, 11, 22, 22, 33, 33, 44, 44],
    ]);
    const picture = random(1).normals([2, 6, 4, 8]);
    const back = passing(consistentUp(), passing(consistentDown(), picture));
    const [first, second] = tf.split(picture, 2, 3) as [tf.Tensor, tf.Tensor];
    const sum = tf.add(first, second);
    expect(back.shape).toEqual([2, 6, 4, 8]);
    // of each four channels a square: eight channels of sums, each twice
    expect(numbers(tf.slice(back, [0, 0, 0, 0], [2, 6, 4, 4]))).toEqual(numbers(sum));
    expect(numbers(tf.slice(back, [0, 0, 0, 4], [2, 6, 4, 4]))).toEqual(numbers(sum));
  });

  test("fusion: every second channel of either stands beside every other of the other", () => {
    const [x, other] = [tf.tensor4d([1, 2, 3, 4], [1, 1, 1, 4]), tf.tensor4d([10, 20, 30, 40], [1, 1, 1, 4])];
    // [2, 4, 10, 30] and [1, 3, 20, 40]
    expect(numbers(passing(shuffleFusion("other"), x, other))).toEqual([3, 7, 30, 70]);
  });

  test("coarse: the means of squares, repeated, before the picture", () => {
    const x = tf.range(0, 8).reshape([1, 2, 4, 1]);
    const mode = tape(false, null, {}, { beside: { coarse: tf.tensor4d([5, 7], [1, 1, 2, 1]) } }).mode;
    expect(numbers(coarse(2).apply(x, {}, mode))).toEqual([5, 0, 5, 1, 7, 2, 7, 3, 5, 4, 5, 5, 7, 6, 7, 7]);
    expect(numbers(coarse(2).apply(x, {}, modeAt()))).toEqual([0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7]);
  });
});

/** A denoiser that takes the coarse picture for the fine one. */
const first = sameLayer("first channel", () => ({
  options: {},
  shape: ([height, width]) => [height!, width!, 1],
  apply: (x) => tf.slice(x, [0, 0, 0, 0], [...x.shape.slice(0, 3), 1]),
}));
const repeating = net.of([
  ...net().conditions(2, { predicts: "start", steps: 10 }).coarse(2).stack!,
  first(),
  all.flatten(),
]) as unknown as Model;

test("sample draws fine pictures of those that it is given, of which diffusion tells the means", () => {
  const weights = network(repeating, [2, 4, 1]).init(random(0), 1);
  const made = trained({ model: repeating, input: [2, 4, 1], weights });
  const before = tf.memory().numTensors;
  const drawn = sample(made, { from: table(Float32Array.of(0.25, 0.75), Int32Array.of(0), [1, 2, 1], 1), steps: 3 });
  expect(tf.memory().numTensors).toBe(before);
  const x = new Float32Array(8);
  drawn.read(Uint32Array.of(0), x);
  [0.25, 0.25, 0.75, 0.75, 0.25, 0.25, 0.75, 0.75].forEach((v, i) => {
    expect(x[i]).toBeCloseTo(v, 5);
  });
  expect(() => sample(made)).toThrow("coarse pictures [1,2,1] for each of 16 examples are required, got none");
  // squares of 0, 0, 0, 1 and of halves: centred −1, −1, −1, 1 with mean −0.5, and 0
  const hooks = diffusion().hooks as unknown as { taskLoss(state: object, step: Partial<Step>): tf.Scalar };
  const loss = hooks.taskLoss({}, {
    x: tf.tensor4d([0, 0, 0.5, 0.5, 0, 1, 0.5, 0.5], [1, 2, 4, 1]),
    y: tf.zeros([1]),
    weight: null,
    rng: random(1),
    network: network(repeating, [2, 4, 1]),
    forward(noisy, within) {
      const features = repeating.apply(weights.model, noisy, tape(false, null, {}, within).mode);
      return { features, logits: features };
    },
  } as Partial<Step>);
  made.dispose();
  expect(scalar(loss)).toBeCloseTo((3 * 0.5 ** 2 + 1.5 ** 2) / 8, 5);
});

describe("P231 BI-DiffSR: biUnet", () => {
  const small = { filters: 4, levels: 3, steps: 20, side: 2 } as const;
  const plain = { ...small, consistent: false, shuffled: false, spans: 1 } as const;
  const binaries = (model: Model): number => {
    const all = parameters(model, [8, 8, 1]);
    const at = new Set(all.filter(({ path }) => path.endsWith("/threshold")).map(({ path }) => path.slice(0, -10)));
    const kernels = all.filter(({ path }) => path.endsWith("/kernel") && at.has(path.slice(0, -7)));
    return kernels.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  };

  test("has as many binary numbers with its parts as without", () => {
    // three blocks of two convolutions and two fusions at each level, two more blocks at the lowest; where the picture is halved c channels become 2c
    const [a, b] = [binaries(biUnet(small)), binaries(biUnet(plain))];
    const blocks = [4, 8, 16].map((c, i) => (i === 2 ? 5 : 3) * 18 * c * c + 2 * 2 * c * c).reduce((x, y) => x + y, 0);
    const steps = [4, 8].map((c) => 2 * 9 * (c / 2) ** 2 + 2 * 9 * (2 * c) ** 2).reduce((x, y) => x + y, 0);
    expect(a).toBe(blocks + steps);
    const plainSteps = [4, 8].map((c) => 9 * c * 2 * c + 9 * 2 * c * c).reduce((x, y) => x + y, 0);
    expect(b).toBe(blocks + plainSteps);
  });

  test.each([
    ["with", small],
    ["without", plain],
  ])("%s its parts has a gradient for every tensor at the times of every span", (_, options) => {
    const model = biUnet(options);
    const weights = model.init(random(0), [8, 8, 1]);
    const x = random(1).normals([10, 8, 8, 1]);
    const time = Array.from({ length: 10 }, (_, i) => 100 * i);
    const weighed = random(2).normals([10, 64]);
    const { grads } = valueAndGrad((own: Params) => {
      const beside = { time: tf.tensor1d(time), coarse: tf.avgPool(x as tf.Tensor4D, 2, 2, "valid") };
      return tf.sum(tf.mul(model.apply(own, x, tape(false, null, {}, { beside }).mode), weighed)) as tf.Scalar;
    }, weights);
    const still = parameters(model, [8, 8, 1]).filter(({ path }) => {
      const own = path.split("/").reduce<Params>((at, part) => at[part] as Params, grads) as unknown as tf.Tensor;
      const rows = own.rank === 2 ? tf.sum(tf.abs(own), 1) : tf.sum(tf.abs(own));
      return numbers(rows).some((v) => v === 0);
    });
    // what the time is told by moves nothing at first: its products begin at 0
    expect(still.map(({ path }) => path).filter((path) => !path.startsWith("conditions/"))).toEqual([]);
    disposeTree([weights, grads, x, weighed] as never);
  });
});
