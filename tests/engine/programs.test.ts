/** Which compiled programs are kept. */
import { expect, it } from "vitest";
import { jit, tf } from "../../lib/engine/index.ts";
import { type Program, ProgramCache } from "../../lib/engine/runtime/program.ts";

it("the programs used last are kept, fewer of those with threads of their own, and the others are freed", () => {
  const freed: string[] = [];
  const made: string[] = [];
  const cache = new ProgramCache(4, 2);
  const get = (key: string): Program =>
    cache.get(key, () => {
      made.push(key);
      return { run: () => [], dispose: () => void freed.push(key), isThreaded: key.startsWith("t") };
    });
  for (const key of ["t1", "a", "t2", "t1", "b"]) get(key);
  expect([made, freed]).toEqual([["t1", "a", "t2", "b"], []]);
  get("t3"); // one too many of either kind: the oldest goes, which is not t1, used again since
  expect(freed).toEqual(["a"]);
  get("t4");
  expect(freed).toEqual(["a", "t2"]);
  get("t2");
  expect([made.at(-1), freed]).toEqual(["t2", ["a", "t2", "t1"]]);
  cache.clear();
  expect(freed.slice(3).sort()).toEqual(["b", "t2", "t3", "t4"]);
});

it("a function keeps the 32 signatures used last, and traces others again", () => {
  let traced = 0;
  const fn = jit((x: tf.Tensor, k: number) => {
    traced++;
    return tf.mul(x, k);
  });
  const x = tf.ones([2]);
  for (let k = 0; k < 40; k++) fn(x, k);
  expect(traced).toBe(40);
  fn(x, 39);
  expect(traced).toBe(40);
  expect(fn(x, 0).arraySync()).toEqual([0, 0]);
  expect(traced).toBe(41);
});
