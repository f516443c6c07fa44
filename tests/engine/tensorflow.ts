/** Three training steps on the processor and on TensorFlow's own library; prints how far the weights are apart. Run by tensorflow.test.ts. */
import { engine, jit, tf } from "../../lib/engine/index.ts";
import {
  adam,
  batch,
  cnn,
  gru,
  mlp,
  momentum,
  type Optimizer,
  type Program,
  type State,
  sgd,
  start,
  trainer,
  vit,
} from "./support.ts";

const programs: Record<string, readonly [Program, Optimizer]> = {
  "mlp with adam": [mlp([12, 30, 5]), adam],
  "cnn with momentum": [cnn(12, [4, 6], 16), momentum],
  "gru with momentum": [gru(), momentum],
  "vit with gradient descent": [vit(16, 2, 2, 9, 12), sgd],
};

function trained(program: Program, optimizer: Optimizer): Map<string, Float32Array> {
  const step = jit(trainer(program, optimizer));
  let state: State = start(program, optimizer);
  for (const i of [0, 1, 2]) [state] = step(state, batch(program, 4, i), null, tf.scalar(0.01));
  return new Map(Object.entries(state.params).map(([name, w]) => [name, w.dataSync().slice() as Float32Array]));
}

const apart: Record<string, number> = {};
for (const [name, [program, optimizer]] of Object.entries(programs)) {
  await engine.use("cpu");
  const want = trained(program, optimizer);
  await engine.use("tensorflow");
  const got = trained(program, optimizer);
  apart[name] = Math.max(
    ...[...want].map(([key, numbers]) => Math.max(...numbers.map((x, i) => Math.abs(x - got.get(key)![i]!)))),
  );
}
console.log(JSON.stringify({ device: engine.device, backend: tf.getBackend(), apart }));
