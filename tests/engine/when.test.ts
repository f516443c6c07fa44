import { describe, expect, test } from "vitest";
import { jit, leaves, random, steps, type Tree, tf, valueAndGrad, when } from "../../lib/engine/index.ts";

type State = { readonly w: tf.Tensor; readonly root: tf.Tensor };
const every = (k: number, at: tf.Tensor): tf.Tensor => tf.equal(tf.mod(at, k), 0);

describe("when", () => {
  test("computes what is due and skips the rest, in one program as one by one", () => {
    const body = (at: tf.Tensor, { w, root }: State, x: tf.Tensor): State => {
      const next = when(
        every(3, at),
        (had) => ({
          w: had.w,
          root: tf.sqrt(tf.abs(tf.add(tf.matMul(had.w as tf.Tensor2D, had.w as tf.Tensor2D), x))),
        }),
        { w, root },
      );
      return { w: tf.add(w, x), root: next.root };
    };
    const start = (): State => ({ w: random(3).normals([4, 4]), root: tf.zeros([4, 4]) });
    const xs = random(4).normals([7, 4, 4]);
    const x = (k: number): tf.Tensor => tf.reshape(tf.slice(xs, k, 1), [4, 4]);
    const run = (one: typeof body): number[] => {
      let state = start();
      const seen: number[] = [];
      for (let k = 0; k < 7; k++) {
        state = one(tf.scalar(k), state, x(k));
        seen.push(...state.root.dataSync());
      }
      return seen;
    };
    // by hand: the root as it was at the last step that was due
    let [w, root] = [start().w, start().root];
    const wanted: number[] = [];
    for (let k = 0; k < 7; k++) {
      if (k % 3 === 0) root = tf.sqrt(tf.abs(tf.add(tf.matMul(w as tf.Tensor2D, w as tf.Tensor2D), x(k))));
      w = tf.add(w, x(k));
      wanted.push(...root.dataSync());
    }
    for (const found of [run(body), run(jit(body))])
      for (const [i, v] of wanted.entries()) expect(found[i]).toBeCloseTo(v, 5);
    const many = steps((state: State, { at, own }: { at: tf.Tensor; own: tf.Tensor }): readonly [State, tf.Tensor] => {
      const next = body(at, state, own);
      return [next, tf.reshape(next.root, [16])];
    });
    const [, all] = many(start(), { at: tf.range(0, 7), own: xs }, null);
    const found = all.dataSync();
    for (const [i, v] of wanted.entries()) expect(found[i]).toBeCloseTo(v, 5);
  });

  test("does not run what is not due: a place that does not exist is met only when it is", () => {
    const reading = jit((due: tf.Tensor, x: tf.Tensor) =>
      when(due, (had) => tf.gather(had, tf.cast(tf.add(had, 9), "int32")), x),
    );
    const read = (due: number): number[] => [...reading(tf.scalar(due), tf.tensor1d([1, 2])).dataSync()];
    expect(read(0)).toEqual([1, 2]);
    expect(() => read(1)).toThrow();
  });

  test("is refused within a gradient, and where the result is unlike the state; it leaves no tensor behind", () => {
    const w = tf.tensor1d([1, 2]);
    expect(() => valueAndGrad((at: tf.Tensor) => tf.sum(when(tf.scalar(1), (x) => tf.mul(x, 2), at)), w)).toThrow(
      "when: a place outside of a gradient",
    );
    expect(() => jit((at: tf.Tensor) => when(tf.scalar(1), (x) => tf.stack([x, x]), at))(w)).toThrow(
      "when: a result like the state is required",
    );
    const doubled = jit((due: tf.Tensor, at: { a: tf.Tensor; b: tf.Tensor }) =>
      when(due, ({ a, b }) => ({ a: tf.mul(a, 2), b }), at),
    );
    const call = (): number[] => {
      const [due, at] = [tf.scalar(1), { a: tf.scalar(3), b: tf.tensor1d([1, 1]) }];
      const out = doubled(due, at);
      const found = leaves(out as unknown as Tree).flatMap((t) => [...t.dataSync()]);
      tf.dispose([due, at.a, at.b, out.a, out.b]);
      return found;
    };
    expect(call()).toEqual([6, 1, 1]);
    const before = tf.memory().numTensors;
    call();
    expect(tf.memory().numTensors).toBe(before);
  });
});
