/** Many calls as one program: each gives what it gives alone. */
import { describe, expect, it } from "vitest";
import { hasKoffi } from "../../lib/engine/capi/koffi.ts";
import { engine, jit, nn, type Rng, random, scan, steps, tf } from "../../lib/engine/index.ts";
import { seq } from "./compare.ts";
import {
  adam,
  batch,
  cnn,
  gru,
  mlp,
  momentum,
  type Optimizer,
  type Program,
  resnet18,
  type State,
  sgd,
  start,
  trainer,
  vit,
} from "./support.ts";

type Body = (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
type Operation = readonly [name: string, body: Body, ...shapes: (readonly number[])[]];

const weighted = (y: tf.Tensor): tf.Scalar => tf.sum(tf.mul(y, seq(y.shape, 0.5, 2)));
/** Results and gradients. */
const graded =
  (body: (...tensors: tf.Tensor[]) => tf.Tensor): Body =>
  (...tensors) => [body(...tensors), ...tf.grads((...all: tf.Tensor[]) => weighted(body(...all)))(tensors)];
const image = (x: tf.Tensor): tf.Tensor4D => x as tf.Tensor4D;
const whole = (x: tf.Tensor, n: number): tf.Tensor => tf.cast(tf.floor(tf.mul(tf.sigmoid(x), n)), "int32");

const operations: Operation[] = [
  ["sums that broadcast", graded((a, b) => tf.add(tf.mul(a, b), tf.sigmoid(b))), [3, 4], [4]],
  ["choices", (a, b) => tf.where(tf.greater(a, b), tf.exp(a), tf.neg(b)), [3, 4], [1, 4]],
  [
    "clipping and remainders",
    (a, b) => [tf.clipByValue(a, -0.3, 0.4), tf.mod(a, b), tf.logicalAnd(tf.less(a, b), tf.isNaN(a))],
    [3, 4],
    [3, 4],
  ],
  ["products", graded((a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D)), [3, 4], [4, 5]],
  ["turned products", graded((a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, true, true)), [4, 3], [5, 4]],
  ["batches of products", graded((a, b) => tf.matMul(a, b, false, true)), [2, 3, 4], [2, 5, 4]],
  ["a batch against one matrix", (a, b) => tf.matMul(a, b), [2, 3, 4], [4, 5]],
  ["sums by name", (a, b) => tf.einsum("ij,jk->ki", a, b), [3, 4], [4, 5]],
  ["sums and means", graded((a) => tf.add(tf.sum(a, 0), tf.mean(a, [0, 1], true))), [9, 10]],
  ["extremes", (a) => [tf.max(a, 1), tf.min(a), tf.argMax(a, 0), tf.argMin(a, -1), tf.prod(a, 0)], [3, 4]],
  ["soft maxima", graded((a) => tf.add(tf.softmax(a), tf.logSoftmax(a))), [3, 4]],
  [
    "the largest",
    (a) => {
      const { values, indices } = tf.topk(a, 2);
      return [values, indices];
    },
    [3, 4],
  ],
  ["running sums", (a) => [tf.cumsum(a, 1), tf.cumsum(a, 0, true, true)], [3, 4]],
  ["other shapes", graded((a) => tf.reshape(tf.transpose(a, [2, 0, 1]), [4, 6])), [2, 3, 4]],
  [
    "pieces",
    (a) => [...tf.split(a, 2, 1), tf.slice(a, [1, 1], [2, 2]), tf.stridedSlice(a, [0, 3], [3, 0], [1, -2])],
    [3, 4],
  ],
  [
    "joined",
    (a, b) => [
      tf.concat([a, b], 1),
      tf.stack([a, a], 1),
      tf.pad(
        a as tf.Tensor2D,
        [
          [1, 0],
          [0, 2],
        ],
        3,
      ),
    ],
    [3, 4],
    [3, 2],
  ],
  [
    "repeated",
    (a) => [
      tf.tile(a, [2, 3]),
      tf.broadcastTo(tf.reshape(a, [3, 1, 4]), [3, 2, 4]),
      tf.reverse(a, 0),
      tf.mirrorPad(
        a,
        [
          [1, 1],
          [0, 0],
        ],
        "reflect",
      ),
    ],
    [3, 4],
  ],
  ["rows by number", (a, b) => tf.gather(a, whole(b, 3)), [3, 4], [5]],
  ["columns by number", (a, b) => tf.gather(a, whole(b, 4), 1), [3, 4], [5]],
  ["elements by number", (a, b) => tf.gather(a, tf.reshape(whole(b, 4), [3, 2]), 1, 1), [3, 4], [3, 2]],
  ["places by number", (a, b) => tf.gatherND(a, tf.reshape(whole(b, 3), [5, 1])), [3, 4], [5]],
  ["numbers by place", (a, b) => tf.scatterND(tf.reshape(whole(b, 3), [5, 1]) as tf.Tensor2D, a, [3, 4]), [5, 4], [5]],
  ["sums of segments", (a, b) => tf.unsortedSegmentSum(a, whole(b, 3) as tf.Tensor1D, 3), [5, 4], [5]],
  ["classes", (a) => tf.oneHot(whole(a, 4), 5), [6]],
  ["convolutions", graded((x, k) => tf.conv2d(image(x), image(k), 1, "same")), [2, 5, 6, 3], [3, 3, 3, 4]],
  ["convolutions in strides", graded((x, k) => tf.conv2d(image(x), image(k), 2, "same")), [2, 7, 6, 3], [3, 3, 3, 4]],
  [
    "convolutions with more filters than places",
    graded((x, k) => tf.conv2d(image(x), image(k), 1, "same")),
    [2, 2, 2, 8],
    [3, 3, 8, 24],
  ],
  [
    "convolutions, biased and rectified",
    graded((x, k, b) => tf.relu(tf.add(tf.conv2d(image(x), image(k), 1, "valid"), b))),
    [2, 5, 6, 3],
    [3, 3, 3, 4],
    [4],
  ],
  [
    "depthwise convolutions",
    graded((x, k) => tf.depthwiseConv2d(image(x), image(k), 1, "same")),
    [2, 5, 6, 3],
    [3, 3, 3, 2],
  ],
  [
    "transposed convolutions",
    (x, k) => tf.conv2dTranspose(image(x), image(k), [2, 8, 10, 3], 2, "same"),
    [2, 4, 5, 4],
    [3, 3, 3, 4],
  ],
  ["maxima of windows", graded((x) => tf.maxPool(image(tf.relu(x)), 2, 2, "valid")), [2, 6, 4, 3]],
  ["maxima of windows that overlap", graded((x) => tf.maxPool(image(x), 3, 2, "same")), [2, 6, 5, 3]],
  ["means of windows", graded((x) => tf.avgPool(image(x), 2, 2, "valid")), [2, 6, 4, 3]],
  ["images of another size", graded((x) => tf.image.resizeBilinear(image(x), [5, 7])), [2, 4, 3, 2]],
  ["normal batches", graded((x, g, b) => nn.batchNormalise(x, g, b).y), [2, 20, 20, 8], [8], [8]],
  [
    "normal images by what is known",
    (x, m, v) => tf.batchNorm(image(x), m as tf.Tensor1D, tf.abs(v) as tf.Tensor1D),
    [2, 5, 4, 3],
    [3],
    [3],
  ],
  ["normal rows", graded((x, g, b) => nn.layerNormalise(x, g, b)), [3, 8], [8], [8]],
  ["attention", graded((q, k, v) => nn.attention(q, k, v)), [2, 2, 3, 4], [2, 2, 3, 4], [2, 2, 3, 4]],
  [
    "loops along an axis",
    graded(
      (x, w) =>
        scan(
          (h: tf.Tensor, at: tf.Tensor, m: tf.Tensor) => {
            const next = tf.tanh(tf.add(tf.matMul(h, m), at));
            return [next, next];
          },
          tf.zeros([2, 3]),
          x,
          w,
        )[1],
    ),
    [4, 2, 3],
    [3, 3],
  ],
];

const near = (got: tf.Tensor, want: tf.Tensor, what: string): void => {
  expect(got.shape, what).toEqual(want.shape);
  expect(got.dtype, what).toBe(want.dtype);
  const [a, b] = [[...got.dataSync()], [...want.dataSync()]];
  const scale = b.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  b.forEach((x, i) => {
    expect(Math.abs(a[i]! - x), `${what}, number ${i}: ${a[i]} for ${x}`).toBeLessThan(5e-6 * scale);
  });
};

describe("many calls at once", () => {
  for (const [name, body, ...shapes] of operations)
    it(`gives of ${name} what each call gives`, () => {
      const ways = 2 ** shapes.length;
      // Every choice of which arguments the calls share, but for all.
      for (let shared = 0; shared < ways - 1; shared++) {
        const before = tf.memory().numTensors;
        const same = shapes.map((shape) => random(9).at("same", shape.length).normals(shape));
        const calls = [0, 1, 2].map((call) =>
          shapes.map((shape, i) => (shared & (1 << i) ? same[i]! : random(call).at(i).normals(shape))),
        );
        const fn = jit((...tensors: tf.Tensor[]) => [body(...tensors)].flat(), { name });
        const want = calls.map((call) => fn(...call));
        const got = fn.together(calls);
        // One program wrote the results of all calls, one after the other.
        const memory = got.map(({ value }) => (value[0]!.dataSync() as Float32Array).buffer);
        expect(new Set(memory).size).toBe(1);
        got.forEach(({ value, flops }, call) => {
          value.forEach((one, i) => {
            near(one, want[call]![i]!, `shared ${shared}, call ${call}, result ${i}`);
          });
          expect(flops).toBeGreaterThanOrEqual(0);
        });
        tf.dispose([same, calls, want, got.map(({ value }) => value)] as never);
        expect(tf.memory().numTensors).toBe(before);
      }
    });
});

const programs: [string, Program, Optimizer][] = [
  ["an MLP with momentum", mlp([12, 16, 5]), momentum],
  ["an MLP with gradient descent", mlp([12, 16, 5]), sgd],
  ["a CNN with adam", cnn(12, [4, 6], 16), adam],
  ["a ResNet-18 with momentum", resnet18(4, 8, [1, 2]), momentum],
  ["a ViT with gradient descent", vit(16, 2, 2, 9, 12), sgd],
  ["a GRU with momentum", gru(4, 6, 3), momentum],
];
const seeds = [1, 2, 3];

describe("training many at once", () => {
  for (const [name, program, optimizer] of programs)
    it(`trains ${name} to the weights that each has alone`, () => {
      const rate = tf.scalar(0.01);
      const xs = (seed: number, round: number) => {
        const all = [0, 1, 2].map((i) => batch(program, 4, 100 * seed + 10 * round + i));
        return { x: tf.stack(all.map((one) => one.x)), y: tf.stack(all.map((one) => one.y)) };
      };
      const step = steps(trainer(program, optimizer));
      const alone = seeds.map((seed) => {
        const [first] = step(start(program, optimizer, seed), xs(seed, 0), null, rate);
        return step(first, xs(seed, 1), null, rate);
      });
      let states: State[] = seeds.map((seed) => start(program, optimizer, seed));
      let losses: tf.Tensor[] = [];
      for (const round of [0, 1]) {
        const out = step.together(seeds.map((seed, i) => [states[i]!, xs(seed, round), null, rate]));
        states = out.map(({ value: [state] }) => state);
        losses = out.map(({ value: [, loss] }) => loss);
      }
      alone.forEach(([state, loss], i) => {
        near(losses[i]!, loss, "loss");
        for (const [key, want] of Object.entries(state.params)) near(states[i]!.params[key]!, want, key);
      });
    });

  it.skipIf(!hasKoffi())(
    "lets only the batches cross to a device, and back only what is read; the states of all stay there, with loops and without",
    async () => {
      const program = mlp([12, 30, 5]);
      for (const graphs of [false, true]) {
        await engine.use("cpu-capi", { graphs });
        try {
          const rate = tf.scalar(0.01);
          const step = steps(trainer(program, momentum));
          let states: State[] = seeds.map((seed) => start(program, momentum, seed));
          const crossed: (readonly [number, number])[] = [];
          for (let round = 0; round < 4; round++) {
            const xs = seeds.map((seed) => {
              const all = [0, 1, 2].map((i) => batch(program, 4, 100 * seed + 10 * round + i));
              const out = { x: tf.stack(all.map((one) => one.x)), y: tf.stack(all.map((one) => one.y)) };
              for (const leaf of [out.x, out.y]) leaf.dataSync(); // numbers of the host, as a study gives them
              return out;
            });
            const before = engine.traffic!;
            const out = step.together(seeds.map((_, i) => [states[i]!, xs[i]!, null, rate]));
            states = out.map(({ value: [state] }) => state);
            for (const { value } of out) value[1].dataSync();
            crossed.push([engine.traffic!.in - before.in, engine.traffic!.out - before.out]);
          }
          const bytes = 3 * 3 * 4 * (12 * 4 + 4);
          const count = graphs ? 0 : 8; // how many steps
          // Without loops the losses of single steps come back and go there once more, to be put in a row.
          const row = graphs ? 3 * 3 * 4 : 0;
          expect(crossed.slice(2)).toEqual([
            [bytes + row + count, 3 * 3 * 4 + row],
            [bytes + row + count, 3 * 3 * 4 + row],
          ]);
          const want = seeds.map((seed) => {
            let state = start(program, momentum, seed);
            for (let round = 0; round < 4; round++) {
              const all = [0, 1, 2].map((i) => batch(program, 4, 100 * seed + 10 * round + i));
              [state] = step(
                state,
                { x: tf.stack(all.map((one) => one.x)), y: tf.stack(all.map((one) => one.y)) },
                null,
                rate,
              );
            }
            return state;
          });
          for (const [i, { params }] of want.entries())
            for (const [key, tensor] of Object.entries(params)) near(states[i]!.params[key]!, tensor, key);
        } finally {
          await engine.use("cpu");
        }
      }
    },
  );

  it("draws each call's noise from its own source, and gives the operations that each took", () => {
    const noisy = steps(
      (w: tf.Tensor, x: tf.Tensor, rng: Rng | null): readonly [tf.Tensor, tf.Tensor] => {
        const next = tf.add(tf.matMul(w, x), rng!.at("noise").normals([2, 2]));
        return [next, tf.sum(next)];
      },
      { keep: true },
    );
    const call = (seed: number): [tf.Tensor, tf.Tensor, Rng[]] => [
      random(seed).normals([2, 2]),
      random(seed).at("x").normals([3, 2, 2]),
      [0, 1, 2].map((k) => random(seed).at(k)),
    ];
    const alone = seeds.map((seed) => noisy(...call(seed)));
    const got = noisy.together(seeds.map(call));
    got.forEach(({ value, flops }, i) => {
      near(value[0], alone[i]![0], "state");
      near(value[1], alone[i]![1], "sums");
      expect(flops).toBe(3 * 2 * 2 * 2 * 2);
    });
  });

  it("does calls of other signatures apart, and reads what one of the calls gave without harm to the others", () => {
    const twice = jit((x: tf.Tensor) => tf.mul(x, 2));
    const calls = [
      [1, 2],
      [3, 4, 5],
      [6, 7],
    ].map((x) => [tf.tensor1d(x)] as [tf.Tensor]);
    const first = twice.together(calls).map(({ value }) => value);
    expect(first.map((x) => [...x.dataSync()])).toEqual([
      [2, 4],
      [6, 8, 10],
      [12, 14],
    ]);
    const held = first[0]!.dataSync();
    const next = twice.together(first.map((x) => [x] as [tf.Tensor])).map(({ value }) => value);
    first.forEach((x) => void x.dispose());
    const last = twice.together(next.map((x) => [x] as [tf.Tensor])).map(({ value }) => value);
    expect(last.map((x) => [...x.dataSync()])).toEqual([
      [8, 16],
      [24, 32, 40],
      [48, 56],
    ]);
    expect([...held]).toEqual([2, 4]);
  });
});
