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
