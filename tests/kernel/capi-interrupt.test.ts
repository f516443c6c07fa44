import { afterAll, beforeAll, expect, it } from "vitest";
import { hasKoffi } from "../../lib/engine/capi/koffi.ts";
import { sleep, testKernel } from "./support/kernel.ts";

let k: ReturnType<typeof testKernel>;
beforeAll(async () => {
  k = testKernel();
  const library = new URL("../../lib/engine/index.ts", import.meta.url).pathname;
  await k.execute(`const { engine, jit, tf } = await import(${JSON.stringify(library)}); await engine.use("cpu-capi")
    const double = jit((x) => tf.add(tf.matMul(x, x), 1), { name: "double" }); let x = tf.fill([64, 64], 0.001); let count = 0`);
});
afterAll(() => k.close());

it.skipIf(!hasKoffi())(
  "a loop of programs of the C interface stops between two calls, and the process and its tensors go on",
  async () => {
    for (let i = 0; i < 3; i++) {
      const cell = k.start("while (true) { const y = double(x); y.dataSync(); y.dispose(); count++ }");
      await sleep(300);
      await k.interrupt();
      expect((await cell.done()).error?.ename).toBe("Interrupted");
    }
    expect(Number((await k.execute("count")).result)).toBeGreaterThan(10);
    expect((await k.execute("double(x).dataSync()[0].toFixed(6)")).result).toBe("'1.000064'");
  },
);
