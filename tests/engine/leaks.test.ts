/** Two thousand steps keep nothing. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { jit, tf } from "../../lib/engine/index.ts";
import { adam, batch, mlp, start, trainer } from "./support.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

it("2,000 compiled steps and 300 lazy ones leave tensors, array buffers and memory as they were", () => {
  const program = mlp([64, 128, 10]);
  const plain = trainer(program, adam);
  const step = jit(plain, { donate: [0] });
  const [one, rate] = [batch(program, 16, 1), tf.scalar(0.001)];
  let state = start(program, adam);
  const compiled = (): void => {
    const [next, loss] = step(state, one, null, rate);
    state = next;
    loss.dataSync();
    loss.dispose();
  };
  const lazy = (): void => tf.tidy(() => void plain(state, one, null, rate)[1].dataSync());
  const settle = (): NodeJS.MemoryUsage => {
    for (let i = 0; i < 3; i++) collect(); // the memory of arrays is swept in the background, until the next collection
    return process.memoryUsage();
  };
  for (let i = 0; i < 200; i++) compiled();
  for (let i = 0; i < 50; i++) lazy();
  const [before, tensors] = [settle(), tf.memory()];
  for (let i = 0; i < 2000; i++) compiled();
  for (let i = 0; i < 300; i++) lazy();
  const [after, left] = [settle(), tf.memory()];
  expect([left.numTensors, left.numDataBuffers, left.numBytes]).toEqual([
    tensors.numTensors,
    tensors.numDataBuffers,
    tensors.numBytes,
  ]);
  // The state is 0.1 MB and every step makes a new one: a leak of one step in ten would show.
  const grown = (of: (usage: NodeJS.MemoryUsage) => number): number => (of(after) - of(before)) / 2 ** 20;
  expect(grown(({ arrayBuffers }) => arrayBuffers)).toBeLessThan(12);
  expect(grown(({ heapUsed }) => heapUsed)).toBeLessThan(12);
  // Resident memory without the heap of JavaScript, which keeps pages that it may need again.
  expect(grown(({ rss, heapTotal }) => rss - heapTotal)).toBeLessThan(40);
}, 60_000);
