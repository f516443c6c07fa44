/** What pictures and probes cost: milliseconds, and how many updates of a small network that is. */
import { blobs, classes, gapZoom, jit, mlp, networkProbes, sgd, tf } from "thalweg";
import { madeRuns } from "../plots/runs.ts";
import { record } from "../support/reference.ts";

/** The least milliseconds of a few runs of a function, after one that does not count. */
function least(run: () => void, times = 9): number {
  run();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const zoom = gapZoom(madeRuns({ everySteps: 2 }));
const layer = {
  data: Float32Array.from({ length: 256 * 400 }, (_, i) => Math.max(0, Math.sin(i * 12.9898))),
  rows: 256,
  columns: 400,
};
const x = tf.ones([10, 100]);
const multiply = jit((a: tf.Tensor) => tf.matMul(a as tf.Tensor2D, tf.transpose(a) as tf.Tensor2D));
const product = least(() => multiply(x).dispose(), 50);

const started = performance.now();
const run = await classes(blobs({ classes: 4 }))
  .split(2)
  .learn(mlp({ hidden: [32] }))
  .with(sgd())
  .train({ epochs: 5 })
  .run({ quiet: true });
const steps = run.logs[0]!.events.filter((event) => event.type === "step").length;
const step = (performance.now() - started) / steps;

const figures = {
  svg: least(() => zoom.toSVG()),
  probes: least(() => networkProbes({ activations: { layer } })),
  emptyProgram: product,
  stepWithEverything: step,
};
const rounded = Object.fromEntries(Object.entries(figures).map(([name, ms]) => [name, Number(ms.toFixed(3))]));
console.table(rounded);
record("plots", { unit: "milliseconds", ...rounded });
