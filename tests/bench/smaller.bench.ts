/**
 * Pruned and quantised networks on disk: their bytes as ONNX files, and whether Python's onnxruntime gives our numbers.
 * `npm run bench -- smaller`. THALWEG_BENCH_PYTHON names a python with onnxruntime; without it sizes alone are measured.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adam, classes, digits, net, prune, quantise, type TrainedNetwork, tf } from "../../lib/index.ts";
import { record } from "../support/reference.ts";

const stream = classes(digits()).split(1);
const { train } = stream.experience(0);
const model = net().conv(16, 3).relu().pool(2).flatten().dense(128).relu();
const run = await stream
  .learn(model)
  .with(adam({ lr: 3e-3 }))
  .train({ epochs: 3, batch: 32 })
  .run({ quiet: true, record: false });
const big = await run.network();

const made: Readonly<Record<string, { readonly network: TrainedNetwork; saveOnnx(file: string): void }>> = {
  "as it was": { network: big, saveOnnx: (file) => big.saveOnnx(file) },
  "SparseGPT, 90% zeros": prune.sparseGpt(big, train, { sparsity: 0.9 }),
  "magnitude, 80% zeros": prune.magnitude(big, { sparsity: 0.8 }),
  "rounded to eight bits": quantise.rtn(big, { bits: 8 }),
  "GPTQ, four bits in groups of 32": quantise.gptq(big, train, { bits: 4, group: 32 }),
  "AWQ, four bits": quantise.awq(big, train, { bits: 4 }),
  "COMQ, two bits": quantise.comq(big, train, { bits: 2 }),
};

const python = process.env.THALWEG_BENCH_PYTHON;
const program = `
import sys, numpy as np, onnxruntime as ort
file, x, wanted = sys.argv[1], np.fromfile(sys.argv[2], np.float32).reshape(5, 8, 8, 1), np.fromfile(sys.argv[3], np.float32)
session = ort.InferenceSession(file)
y = session.run(None, {session.get_inputs()[0].name: x})[0]
print(float(np.max(np.abs(y.ravel() - wanted))))
`;
const folder = mkdtempSync(join(tmpdir(), "smaller-"));
mkdirSync(folder, { recursive: true });
const x = tf.randomUniform([5, 8, 8, 1], 0, 1, "float32", 3);
const at = (name: string): string => join(folder, name);
writeFileSync(at("x"), new Uint8Array((x.dataSync() as Float32Array).slice().buffer));
const figures = Object.fromEntries(
  Object.entries(made).map(([name, { network, saveOnnx }]) => {
    saveOnnx(at("network.onnx"));
    writeFileSync(at("wanted"), new Uint8Array((network.predict(x).dataSync() as Float32Array).slice().buffer));
    const bytes = statSync(at("network.onnx")).size;
    if (python === undefined) return [name, { bytes }];
    const out = execFileSync(python, ["-c", program, at("network.onnx"), at("x"), at("wanted")], { encoding: "utf8" });
    return [name, { bytes, apartInPython: Number(Number(out).toPrecision(2)) }];
  }),
);
rmSync(folder, { recursive: true });
console.table(figures);
if (python !== undefined) record("smaller", figures);
