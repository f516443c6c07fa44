import { random, simulate, tf } from "thalweg";
import { describe, expect, test } from "vitest";

const rng = random(3);
const drawn = (name: string, size: number): Float32Array => rng.at(name).fillNormal(new Float32Array(size));
const [length, heads, width] = [24, 4, 6];
const size = length * heads * width;
const inputs = { length, heads, width, q: drawn("q", size), k: drawn("k", size), v: drawn("v", size) };

/** `[length, heads, width]` as `[heads, length, width]`. */
const byHead = (of: Float32Array, rows = length): tf.Tensor =>
  tf.transpose(tf.tensor(of, [rows, heads, width]), [1, 0, 2]);

/** Attention in one piece, by TensorFlow.js. */
function whole(causal: boolean, linear = false): Float32Array {
  return tf.tidy(() => {
    const [q, k, v] = [byHead(inputs.q), byHead(inputs.k), byHead(inputs.v)];
    const seen = causal ? tf.linalg.bandPart(tf.ones([length, length]), -1, 0) : tf.ones([length, length]);
    const dots = tf.matMul(q!, k!, false, true);
    const scores = linear
      ? tf.mul(dots, seen)
      : tf.softmax(tf.add(tf.div(dots, Math.sqrt(width)), tf.mul(tf.sub(1, seen), -1e9)));
    return tf.transpose(tf.matMul(scores, v!), [1, 0, 2]).dataSync() as Float32Array;
  });
}

const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
/** Numbers of q on one rank. */
const n = (ranks: number): number => size / ranks;

describe("parallelism with virtual ranks", () => {
  test.each([
    [1, 1],
    [4, 4],
    [4, 1],
    [4, 2],
    [8, 4],
    [12, 2],
  ])(
    "P242 USP: %i ranks in groups of %i give attention in one piece, and send what the formula says",
    async (ranks, ulysses) => {
      for (const causal of [false, true]) {
        const run = await simulate.sequenceParallel(inputs, { ranks, ulysses, causal });
        expect(apart(run.output, whole(causal))).toBeLessThan(1e-5);
        const rings = ranks / ulysses;
        const numbers = (4 * n(ranks) * (ulysses - 1)) / ulysses + 2 * n(ranks) * (rings - 1);
        for (const bytes of run.bytes) expect(bytes).toBeCloseTo(4 * numbers, 6);
      }
    },
  );

  test("P198 LASP-2: linear attention on several ranks is that of one, and what is sent does not grow with the sequence", async () => {
    for (const causal of [false, true]) {
      const run = await simulate.lasp2(inputs, { ranks: 4, causal });
      expect(apart(run.output, whole(causal, true))).toBeLessThan(1e-4);
      expect(run.bytes).toEqual([0, 1, 2, 3].map(() => 4 * heads * width * width * 3));
    }
    const half = {
      ...inputs,
      length: 12,
      q: inputs.q.slice(0, size / 2),
      k: inputs.k.slice(0, size / 2),
      v: inputs.v.slice(0, size / 2),
    };
    expect((await simulate.lasp2(half, { ranks: 4 })).bytes[0]).toBe(4 * heads * width * width * 3);
  });

  test("P100 DSP: attention along rows and columns is that of one rank, for one switch of the cut dimension and back", async () => {
    const film = { rows: 4, columns: 6, heads, width, x: inputs.q };
    const alone = await simulate.dsp(film, { ranks: 1, blocks: 2 });
    const run = await simulate.dsp(film, { ranks: 2, blocks: 2 });
    expect(apart(run.output, alone.output)).toBeLessThan(1e-5);
    // three switches: to columns, back, to columns; each moves half of a rank's numbers
    expect(run.bytes).toEqual([0, 1].map(() => (3 * 4 * size) / 2 / 2));
    // and one block on one rank is what TensorFlow.js makes of it
    const [one] = [await simulate.dsp(film, { ranks: 1 })];
    const expected = tf.tidy(() => {
      const along = (x: tf.Tensor): tf.Tensor => {
        const each = tf.transpose(x, [0, 2, 1, 3]);
        const scores = tf.softmax(tf.div(tf.matMul(each, each, false, true), Math.sqrt(width)));
        return tf.add(tf.transpose(tf.matMul(scores, each), [0, 2, 1, 3]), x);
      };
      const rows = along(tf.tensor(film.x, [4, 6, heads, width]));
      return tf.transpose(along(tf.transpose(rows, [1, 0, 2, 3])), [1, 0, 2, 3]).dataSync() as Float32Array;
    });
    expect(apart(one!.output, expected)).toBeLessThan(1e-5);
  });

  test("tensor and expert parallelism give what one rank gives, for the bytes of their formulas", async () => {
    const mlp = { rows: 5, width: 6, hidden: 8, x: drawn("x", 30), first: drawn("a", 48), second: drawn("b", 48) };
    const [alone, four] = [
      await simulate.tensorParallel(mlp, { ranks: 1 }),
      await simulate.tensorParallel(mlp, { ranks: 4 }),
    ] as const;
    expect(apart(four.output, alone.output)).toBeLessThan(1e-5);
    const expected = tf.tidy(
      () =>
        tf
          .matMul(
            tf.relu(tf.matMul(tf.tensor(mlp.x, [5, 6]), tf.tensor(mlp.first, [6, 8]))),
            tf.tensor(mlp.second, [8, 6]),
          )
          .dataSync() as Float32Array,
    );
    expect(apart(alone.output, expected)).toBeLessThan(1e-5);
    expect(four.bytes.reduce((a, b) => a + b, 0)).toBe(4 * 2 * 3 * 30);
    const experts = [0, 1, 2, 3].map((e) => (token: Float32Array) => token.map((x) => x * (e + 1)));
    const expert = [3, 0, 0, 0, 1, 0, 2, 0];
    const x = drawn("tokens", 16);
    const run = await simulate.expertParallel({ x, width: 2, expert, experts, flopsPerToken: 1e12 }, { ranks: 2 });
    expect([...run.output]).toEqual([...x].map((each, i) => Math.fround(each * (expert[i >> 1]! + 1))));
    expect(run.work.map((seconds) => Math.round(seconds))).toEqual([6, 2]);
    await expect(simulate.tensorParallel({ ...mlp, hidden: 8 }, { ranks: 3 })).rejects.toThrow("that 3 divides");
  });

  test("P084 InternEvo: a step with shared weights and states is Adam's on one rank, for the bytes of the formula; the plan is the best that fits", async () => {
    const [ranks, size] = [8, 48];
    const gradients = Array.from({ length: ranks }, (_, k) => drawn(`g${k}`, size));
    const weights = drawn("w", size);
    const moments = drawn("m", size);
    // the second step of Adam from given moments
    const update = (w: Float32Array, g: Float32Array, from: number): Float32Array =>
      w.map((x, i) => {
        const [m, v] = [0.9 * moments[from + i]! + 0.1 * g[i]!, 0.999 * moments[from + i]! ** 2 + 0.001 * g[i]! ** 2];
        return x - (0.1 * (m / (1 - 0.81))) / (Math.sqrt(v / (1 - 0.999 ** 2)) + 1e-8);
      });
    const mean = weights.map((_, i) => gradients.reduce((sum, g) => sum + g[i]! / ranks, 0));
    const alone = update(weights, mean, 0);
    for (const [w, s] of [
      [1, 1],
      [1, 8],
      [2, 4],
      [4, 8],
      [8, 8],
    ] as const) {
      const sharding = { weights: w, gradients: s, states: s };
      const run = await simulate.redundantSharding({ weights, gradients, update }, { ranks, sharding });
      expect(apart(run.output, alone)).toBeLessThan(1e-5);
      const groups = ranks / s;
      const numbers =
        (size * (w - 1)) / w + (size * (s - 1)) / s + ((2 * (groups - 1)) / groups) * (size / s) + size / w - size / s;
      for (const bytes of run.bytes) expect(bytes).toBeCloseTo(4 * numbers, 6);
    }
    const of = { ranks: 16, perMachine: 4, numbers: 1e9, within: 1e11, between: 1e10 };
    expect(simulate.shardingPlan({ ...of, room: 1e9 + 1 })).toMatchObject({ weights: 16, gradients: 16, states: 16 });
    const roomy = simulate.shardingPlan({ ...of, room: 1e12 });
    expect([roomy.weights, roomy.states]).toEqual([1, 4]); // the sum over machines is of a quarter each
    expect(simulate.shardingPlan({ ...of, room: 5e9 }).bytes).toBeLessThanOrEqual(5e9);
    expect(() => simulate.shardingPlan({ ...of, room: 9e8 })).toThrow("take more ranks");
  });

  test("P048 DeepSpeed MoE: answers and gradients of experts on groups of ranks are those of one device, for the bytes of the formula", async () => {
    const [tokens, wide, count] = [16, 3, 4];
    const expert = Array.from({ length: tokens }, (_, t) => rng.at("expert", t).int(count));
    const [x, slope, shared] = [drawn("x", tokens * wide), drawn("slope", tokens * wide), drawn("shared", wide * wide)];
    const experts = Array.from({ length: count }, (_, e) => drawn(`e${e}`, wide * wide));
    const inputs = { x, width: wide, expert, shared, experts, slope };
    const run = await simulate.expertDataParallel(inputs, { ranks: 8, experts: 2 });
    const whole = tf.tidy(() => {
      const loss = (first: tf.Tensor, all: tf.Tensor): tf.Tensor => {
        const hidden = tf.matMul(tf.tensor2d(x, [tokens, wide]), first as tf.Tensor2D);
        const own = tf.gather(all, tf.tensor1d(expert, "int32"));
        const out = tf.reshape(tf.matMul(tf.expandDims(hidden, 1), own), [tokens, wide]);
        return tf.sum(tf.mul(out, tf.tensor2d(slope, [tokens, wide])));
      };
      const all = tf.stack(experts.map((kernel) => tf.tensor2d(kernel, [wide, wide])));
      const [first, second] = tf.grads(loss as never)([tf.tensor2d(shared, [wide, wide]), all]) as [
        tf.Tensor,
        tf.Tensor,
      ];
      return { first: first.dataSync() as Float32Array, second: second.dataSync() as Float32Array };
    });
    expect(apart(run.gradients.shared, whole.first)).toBeLessThan(1e-5);
    run.gradients.experts.forEach((gradient, e) => {
      expect(apart(gradient, whole.second.slice(e * wide * wide, (e + 1) * wide * wide))).toBeLessThan(1e-5);
    });
    const away = expert.filter((e, t) => Math.floor(e / 2) !== Math.floor(t / 2) % 2).length;
    // four ways for each token that is away from its expert; sums of two experts over 4 ranks each, of the shared layer over 8
    const numbers = 4 * away * wide + 8 * (2 * (3 / 4) * 2 + 2 * (7 / 8)) * wide * wide;
    expect(run.bytes.reduce((a, b) => a + b, 0)).toBe(4 * numbers);
  });

  test("P121 heterogeneity-adaptive sequence parallelism: groups fit the lengths, never worse than one size, as good as the best of all on few", () => {
    const of = { ranks: 8, room: 2000 };
    const lengths = Array.from({ length: 24 }, (_, i) => Math.round(100 * Math.exp(4 * rng.at("length", i).uniform())));
    const plan = simulate.flexSequence(lengths, of);
    const served = plan.batches.flat().flatMap(({ sequences }) => sequences);
    expect(served.sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    for (const groups of plan.batches) {
      expect(groups.reduce((sum, { ranks }) => sum + ranks, 0)).toBeLessThanOrEqual(8);
      for (const { ranks, sequences } of groups)
        expect(sequences.reduce((sum, at) => sum + lengths[at]!, 0)).toBeLessThanOrEqual(2000 * ranks);
    }
    const fixed = [4, 8].map((degree) => simulate.flexSequence(lengths, { ...of, degree }).seconds);
    expect(plan.seconds).toBeLessThan(Math.min(...fixed));
    // four sequences on two groups of two: every way to deal them, by hand
    const four = [900, 700, 500, 400];
    const seconds = (part: number[]): number =>
      part.reduce((sum, l) => sum + (1e-6 * l + 1e-9 * l * l + 2e-7 * l) / 2, 0);
    const all = Array.from({ length: 16 }, (_, mask) =>
      Math.max(
        seconds(four.filter((_, i) => (mask >> i) % 2 === 0)),
        seconds(four.filter((_, i) => (mask >> i) % 2 === 1)),
      ),
    );
    expect(simulate.flexSequence(four, { ranks: 4, room: 2000, degree: 2 }).seconds).toBeCloseTo(Math.min(...all), 12);
    expect(() => simulate.flexSequence([20_000], of)).toThrow("room for a sequence");
  });

  test("P189 DistriFusion: waiting for all patches is one device's image; looking at those of a step before is near it, and hides the lines", async () => {
    const [rows, wide] = [16, 8];
    const layer = (name: string) => ({
      q: drawn(`${name}q`, wide * wide).map((v) => v / 3),
      k: drawn(`${name}k`, wide * wide).map((v) => v / 3),
      v: drawn(`${name}v`, wide * wide).map((v) => v / 3),
    });
    const image = { rows, width: wide, x: drawn("image", rows * wide), layers: [layer("a"), layer("b")] };
    const slow = { flops: 1e6, link: { latency: 1e-3, bandwidth: 1e6 } };
    const of = (ranks: number, warm: number, rate = 0.02) =>
      simulate.distriFusion(image, { ranks, steps: 8, warm, rate, ...slow });
    const [alone, waits, displaced] = [await of(1, 1), await of(4, 8), await of(4, 1)];
    // one step on one rank is what TensorFlow.js makes of it
    const one = await simulate.distriFusion(image, { ranks: 1, steps: 1, rate: 1 });
    const expected = tf.tidy(() =>
      image.layers
        .reduce<tf.Tensor>(
          (x, { q, k, v }) => {
            const [a, b, c] = [q, k, v].map((kernel) => tf.matMul(x as tf.Tensor2D, tf.tensor2d(kernel, [wide, wide])));
            const scores = tf.softmax(tf.div(tf.matMul(a!, b!, false, true), Math.sqrt(wide)));
            return tf.add(tf.matMul(scores as tf.Tensor2D, c as tf.Tensor2D), x);
          },
          tf.tensor2d(image.x, [rows, wide]),
        )
        .dataSync(),
    ) as Float32Array;
    expect(apart(one.output, expected)).toBeLessThan(1e-5);
    expect(apart(waits.output, alone.output)).toBeLessThan(1e-5);
    for (const run of [waits, displaced])
      expect(run.bytes).toEqual([0, 1, 2, 3].map(() => 4 * 8 * 2 * 2 * (rows / 4) * wide * 3));
    expect(displaced.seconds).toBeLessThan(0.7 * waits.seconds);
    // what is a step old differs by as much as a step moves: halving the steps halves it
    const far = apart(displaced.output, alone.output);
    expect(far).toBeGreaterThan(0);
    const half = apart((await of(4, 1, 0.01)).output, (await of(1, 1, 0.01)).output);
    expect(half).toBeLessThan(0.6 * far);
  });

  test("a pipeline's idle share and what its stages hold are those of the formulas", async () => {
    for (const [stages, microBatches] of [
      [4, 8],
      [3, 3],
      [8, 32],
    ] as const)
      for (const schedule of ["gpipe", "1f1b"] as const) {
        const run = await simulate.pipeline({ stages, microBatches, schedule });
        expect(run.bubble).toBeCloseTo((stages - 1) / (microBatches + stages - 1), 10);
        expect(run.held).toEqual(
          Array.from({ length: stages }, (_, s) =>
            schedule === "gpipe" ? microBatches : Math.min(microBatches, stages - s),
          ),
        );
      }
  });
});

describe("what need not wait", () => {
  test("P246 DataStates-LLM: checkpoints cost what the formulas say", async () => {
    const training = {
      iterations: 6,
      forward: 1,
      backward: 2,
      update: 0.5,
      bytes: 8e9,
      toMemory: 2e9,
      toDisk: 1e9,
      room: 8,
    };
    const [copy, write, plain] = [4, 8, 6 * 3.5];
    const run = (how: "blocking" | "snapshot" | "lazy", more = {}) =>
      simulate.checkpoints({ ...training, how, ...more });
    expect((await run("blocking")).stalled).toBeCloseTo(6 * (copy + write), 9);
    expect((await run("blocking")).seconds).toBeCloseTo(plain + 6 * (copy + write), 9);
    expect((await run("snapshot")).stalled).toBeCloseTo(6 * copy, 9);
    // a copy of 4 seconds hides behind passes of 3; the last one, with nothing to hide behind, is waited for
    expect((await run("lazy")).stalled).toBeCloseTo(5 * (copy - 3) + copy, 9);
    expect((await run("lazy", { every: 2 })).stalled).toBeCloseTo(2 * (copy - 3) + copy, 9);
    // with room for one, the disk sets the pace: each copy waits until the one before is written
    const narrow = await run("lazy", { room: 1 });
    expect(narrow.saved.slice(1).map((at, i) => at - narrow.saved[i]!)).toEqual([12, 12, 12, 12, 12]);
  });

  test("P133 Jacobi: the result of one step after the other, bit for bit, in fewer rounds where states forget", () => {
    const w = rng.at("cell").fillNormal(new Float32Array(64), 0, 0.15);
    const x = rng.at("inputs").fillNormal(new Float32Array(40 * 8));
    const cell = (t: number) => (s: Float32Array) =>
      s.map((_, i) => Math.tanh(s.reduce((sum, h, j) => sum + w[i * 8 + j]! * h, x[t * 8 + i]!)));
    const steps = Array.from({ length: 40 }, (_, t) => cell(t));
    const start = new Float32Array(8);
    let state = start;
    const sequential = steps.map((step) => (state = step(state)));
    for (const solver of ["jacobi", "blocks"] as const) {
      const solved = simulate.jacobi({ steps, start, solver });
      expect(solved.states).toEqual(sequential);
    }
    const [whole, blocks] = [simulate.jacobi({ steps, start }), simulate.jacobi({ steps, start, solver: "blocks" })];
    expect(whole.rounds).toBeLessThan(36);
    expect(blocks.done).toBeLessThan(whole.done);
    const rough = simulate.jacobi({ steps, start, tolerance: 1e-3 });
    expect(rough.rounds).toBeLessThan(simulate.jacobi({ steps, start }).rounds);
    expect(apart(rough.states.at(-1)!, sequential.at(-1)!)).toBeLessThan(1e-2);
    // a chain that forgets nothing takes every round
    const keeps = Array.from({ length: 10 }, () => (s: Float32Array) => s.map((y) => y + 1));
    expect(simulate.jacobi({ steps: keeps, start: Float32Array.of(0) }).rounds).toBe(10);
  });
});
