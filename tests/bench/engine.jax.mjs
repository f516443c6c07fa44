/** The perceptrons of engine.bench.ts in jax-js: reads "case runs" lines, answers with milliseconds per training step. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const find = createRequire(`${process.argv[2]}/package.json`);
const path = find.resolve("@jax-js/jax");
const { init, defaultDevice, numpy: np, nn, jit, valueAndGrad } = await import(pathToFileURL(path).href);
await init("wasm").catch(() => {});
defaultDevice("wasm");

const layers = {
  "mlp 784-100-100-10, batch 10": [[784, 100, 100, 10], 10],
  "mlp 784-400-400-10, batch 128": [[784, 400, 400, 10], 128],
};
const filled = (shape, at) => {
  const data = Float32Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    (_, i) => (((i * 7919) % 1000) / 1000 - 0.5) * at,
  );
  return np.array(data, { shape });
};
const made = {};
function stepOf(name) {
  if (made[name]) return made[name];
  const [sizes, batch] = layers[name];
  let params = [];
  for (let i = 1; i < sizes.length; i++) params.push(filled([sizes[i - 1], sizes[i]], 0.1), np.zeros([sizes[i]]));
  const x = filled([batch, sizes[0]], 1);
  const y = nn.oneHot(
    np.array(
      Array.from({ length: batch }, (_, i) => i % 10),
      { dtype: np.int32 },
    ),
    10,
  );
  const loss = (p, x, y) => {
    let h = x;
    for (let i = 0; i < p.length; i += 2) {
      h = np.dot(h, p[i]).add(p[i + 1]);
      if (i + 2 < p.length) h = nn.relu(h);
    }
    return nn
      .logSoftmax(h)
      .mul(y)
      .sum()
      .mul(-1 / batch);
  };
  const both = valueAndGrad(loss);
  const update = jit((p, x, y) => {
    const [value, grads] = both(
      p.map((w) => w.ref),
      x,
      y,
    );
    return [value, p.map((w, i) => w.sub(grads[i].mul(0.01)))];
  });
  made[name] = async () => {
    const [value, next] = update(params, x.ref, y.ref);
    params = next;
    await value.data();
  };
  return made[name];
}
const manifest = JSON.parse(readFileSync(join(dirname(path), "../package.json"), "utf8"));
console.log(manifest.version);
const isWall = process.env.THALWEG_BENCH_WALL === "1";
const now = () => (isWall ? performance.now() : (process.cpuUsage().user + process.cpuUsage().system) / 1000);
for await (const line of createInterface({ input: process.stdin })) {
  const [, name, runs] = /^(.*) (\d+)$/.exec(line);
  const step = stepOf(name);
  await step();
  const start = now();
  for (let i = 0; i < Number(runs); i++) await step();
  console.log((now() - start) / Number(runs));
}
