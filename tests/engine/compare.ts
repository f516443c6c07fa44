/** Operations computed by the engine and by tfjs-cpu, number by number. */
import { afterAll, describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/index.ts";

export type Case = readonly [name: string, body: () => tf.Tensor | tf.Tensor[]];

/** A fixed scatter of numbers without ties. */
export const seq = (shape: number[], from = -1, to = 1): tf.Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, (_, i) => from + ((to - from) * ((i * 7919) % 104729)) / 104729);
  return tf.tensor(data, shape);
};

/** Whole numbers from −2 up to n − 3. */
export const ints = (shape: number[], n = 7): tf.Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Int32Array.from({ length: size }, (_, i) => ((i * 31) % n) - 2),
    shape,
    "int32",
  );
};

/** Declares one test for every case: shapes, types and numbers are those of tfjs-cpu. */
export function agreesWithReference(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    afterAll(() => void tf.setBackend("thalweg"));
    for (const [name, body] of cases) {
      it(name, () => {
        const on = (backend: string): tf.Tensor[] => {
          void tf.setBackend(backend);
          return [tf.tidy(body as () => tf.Tensor[])].flat();
        };
        const actual = on("thalweg").map((x) => ({ shape: x.shape, dtype: x.dtype, data: [...x.dataSync()] }));
        const expected = on("cpu").map((x) => ({ shape: x.shape, dtype: x.dtype, data: [...x.dataSync()] }));
        expect(actual.length).toBe(expected.length);
        actual.forEach((got, i) => {
          const want = expected[i]!;
          expect(got.shape).toEqual(want.shape);
          expect(got.dtype).toBe(want.dtype);
          const scale = Math.max(1, ...want.data.map(Math.abs).filter(Number.isFinite));
          want.data.forEach((x, at) => {
            if (Number.isFinite(x))
              expect(Math.abs(got.data[at]! - x), `element ${at}: ${got.data[at]} for ${x}`).toBeLessThan(2e-6 * scale);
            else expect(got.data[at]).toBe(x);
          });
        });
      });
    }
  });
}
