/** A linear equation that a path controls: beside the signature of the path, beside a loop, and piece by piece. */
import { jit, type Layer, layers, type Params, random, tape, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import { slopeAlong } from "./slope.ts";

const [n, length, inputs, state] = [2, 3, 2, 4];
const x = random(1).normals([n, length, inputs], 0, 0.5);
const { mode } = tape(false, null, {});
const made = (layer: Layer): Params => layer.init!(random(2), [length, inputs]);
const host = (t: unknown): number[][] => (t as tf.Tensor).arraySync() as number[][];

/** The signature of straight lines one after the other, word by word, by Chen's identity: a line's is `Δ_w / |w|!`. */
function signature(lines: readonly (readonly number[])[], depth: number): Map<string, number> {
  const letters = lines[0]!.map((_, i) => i);
  const words = (k: number): string[] => (k === 0 ? [""] : words(k - 1).flatMap((w) => letters.map((i) => w + i)));
  const all = Array.from({ length: depth + 1 }, (_, k) => words(k)).flat();
  const product = (line: readonly number[], w: string): number =>
    [...w].reduce((p, i, at) => (p * line[Number(i)]!) / (at + 1), 1);
  let now = new Map(all.map((w) => [w, w === "" ? 1 : 0]));
  for (const line of lines)
    now = new Map(
      all.map((w) => [
        w,
        Array.from(
          { length: w.length + 1 },
          (_, cut) => now.get(w.slice(0, cut))! * product(line, w.slice(cut)),
        ).reduce((a, b) => a + b),
      ]),
    );
  return now;
}

describe("P208 linearCde", () => {
  test.each(["dense", "diagonal"] as const)(
    "%s: its state is a projection of the signature of time and the path",
    (transitions) => {
      const layer = layers.linearCde(state, { transitions, step: 0.1, scale: 0.5, order: 8 }) as Layer;
      const params = made(layer);
      const points = (x.arraySync() as number[][][])[0]!;
      const lines = points.map((point, t) => [0.1, ...point.map((v, i) => v - (t === 0 ? 0 : points[t - 1]![i]!))]);
      const terms = signature(lines, 7);
      const field = host(params.field);
      const [start] = [[...(params.start as tf.Tensor).dataSync()]];
      const drift = host(params.drift);
      /** A row times the matrix of a letter. */
      const moved = (z: readonly number[], letter: number): number[] =>
        z.map((_, j) =>
          transitions === "diagonal"
            ? z[j]! * field[letter]![j]!
            : z.reduce((sum, v, i) => sum + v * field[i]![letter * state + j]!, 0),
        );
      const wanted = new Array<number>(state).fill(0);
      for (const [word, term] of terms) {
        const letters = [...word].map(Number);
        const through = (z: readonly number[], rest: readonly number[]): void =>
          rest.reduce<readonly number[]>(moved, z).forEach((v, j) => {
            wanted[j]! += v * term;
          });
        through(start!, letters);
        // what enters along a letter of the path, and is then moved along the others
        if (letters.length > 0 && letters[0]! > 0) through(drift[letters[0]! - 1]!, letters.slice(1));
      }
      const got = (layer.apply(x, params, mode).arraySync() as number[][][])[0]!.at(-1)!;
      wanted.forEach((v, j) => {
        expect(got[j]).toBeCloseTo(v, 3);
      });
    },
  );

  test("moved by time alone it is linear in the path", () => {
    const layer = layers.linearCde(state, { gates: "time", step: 0.1 }) as Layer;
    const params = made(layer);
    const at = (of: tf.Tensor): tf.Tensor =>
      tf.sub(layer.apply(of, params, mode), layer.apply(tf.zerosLike(of), params, mode));
    expect(tf.max(tf.abs(tf.sub(at(tf.mul(x, 3)), tf.mul(at(x), 3)))).dataSync()[0]).toBeLessThan(1e-4);
    const moved = layers.linearCde(state, { step: 0.1 }) as Layer;
    const own = made(moved);
    const by = (of: tf.Tensor): tf.Tensor =>
      tf.sub(moved.apply(of, own, mode), moved.apply(tf.zerosLike(of), own, mode));
    expect(tf.max(tf.abs(tf.sub(by(tf.mul(x, 3)), tf.mul(by(x), 3)))).dataSync()[0]).toBeGreaterThan(1);
  });

  test.each([
    ["dense", "input"],
    ["dense", "time"],
    ["diagonal", "input"],
  ] as const)(
    "%s, moved by %s, gives piece by piece what it gives at once, and has the slope of finite differences",
    (transitions, gates) => {
      const layer = layers.linearCde(state, { transitions, gates, step: 0.1 }) as Layer;
      const params = made(layer);
      const long = random(3).normals([n, 6, inputs], 0, 0.5);
      const keep = tf.tensor2d([1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1], [n, 6]);
      const cut = (t: tf.Tensor, from: number, to: number): tf.Tensor => tf.slice(t, [0, from], [n, to - from]);
      const [first, states] = layer.recurs!(cut(long, 0, 2), params, mode, null, cut(keep, 0, 2));
      const [second] = layer.recurs!(cut(long, 2, 6), params, mode, states, cut(keep, 2, 6));
      const got = tf.concat([first, second], 1);
      const apart = (a: tf.Tensor, b: tf.Tensor): number => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
      expect(
        apart(tf.slice(got, [1, 0], [1, 6]), tf.slice(layer.apply(long, params, mode), [1, 0], [1, 6])),
      ).toBeLessThan(1e-4);
      const anew = layer.apply(tf.slice(long, [0, 4], [1, 2]), params, mode);
      expect(apart(tf.slice(got, [0, 4], [1, 2]), anew)).toBeLessThan(1e-4);
      const weigh = random(4).normals([n, length, state], 0, 1);
      const loss = jit((given: { x: tf.Tensor; params: Params }) =>
        tf.sum(tf.mul(layer.apply(given.x, given.params, mode), weigh)),
      );
      expect(Math.abs(slopeAlong(loss, { x, params }, 3e-3) - 1)).toBeLessThan(0.01);
    },
  );
});
