/** Devices are listed with reasons, chosen by name, and never take the process down. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { engine, jit, tf } from "../../lib/engine/index.ts";
import { batch, cnn, sgd, start, trainer } from "./support.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "thalweg-devices-"));
const program = join(folder, "program.mts");
writeFileSync(
  program,
  `import { engine, jit, tf } from ${JSON.stringify(`${root}lib/engine/index.ts`)};
   const double = jit((x) => tf.mul(x, 2));
   console.log(engine.device, [...double(tf.tensor1d([1, 2])).dataSync()].join());`,
);
const run = (env: NodeJS.ProcessEnv): string =>
  execFileSync("sh", ["-c", `node --import tsx ${program} 2>&1`], {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });

describe("engine.devices", () => {
  it("lists every device, with a reason for each that does not work", () => {
    const all = engine.devices();
    expect(all.map(({ name }) => name)).toEqual([
      "cpu",
      "cpu-capi",
      "webgpu",
      "cuda",
      "tensorflow",
      "tensorflow-gpu",
      "wasm",
      "reference",
    ]);
    for (const { isAvailable, reason } of all) expect(reason === "").toBe(isAvailable);
    expect(all.find(({ name }) => name === "tensorflow-gpu")?.reason).toMatch(
      /@tensorflow\/tfjs-node-gpu is not installed/,
    );
  });
});

describe("engine.use", () => {
  afterAll(async () => void (await engine.use("cpu")));
  it("moves tensors and compiled functions along", async () => {
    const double = jit((x: tf.Tensor) => tf.mul(x, 2));
    const x = tf.tensor1d([1, 2]);
    const first = double(x);
    expect(await engine.use("reference")).toBe("reference");
    expect([tf.getBackend(), engine.device]).toEqual(["cpu", "reference"]);
    expect([...double(first).dataSync()]).toEqual([4, 8]);
    await engine.use("cpu");
    expect([...double(double(first)).dataSync()]).toEqual([8, 16]);
  });
  it("says what is required when a name is not known or a device does not work", () => {
    expect(() => engine.use("gpu" as "cpu")).toThrow(/one of cpu, cpu-capi, webgpu, .* is required, got "gpu"/);
    expect(() => engine.use("tensorflow-gpu")).toThrow(
      /a device that works is required, got "tensorflow-gpu"; .* is not installed/,
    );
    expect(engine.device).toBe("cpu");
  });
});

describe("a package that is only half there", () => {
  it("is not available, and one that does not load leaves the device as it was", () => {
    const use = (native: boolean): string => {
      const home = mkdtempSync(join(folder, "half-"));
      const at = join(home, "node_modules/@tensorflow/tfjs-node-gpu");
      mkdirSync(join(at, "lib/napi-v8"), { recursive: true });
      writeFileSync(join(at, "package.json"), '{ "name": "@tensorflow/tfjs-node-gpu", "main": "index.js" }');
      writeFileSync(join(at, "index.js"), 'throw new Error("no such library")');
      if (native) writeFileSync(join(at, "lib/napi-v8/tfjs_binding.node"), "");
      return run({ THALWEG_DEVICE: "tensorflow-gpu", NODE_PATH: join(home, "node_modules") });
    };
    expect(use(false)).toMatch(/installed without its native part; .*computing on "cpu"\ncpu 2,4/);
    expect(use(true)).toMatch(/tfjs-node-gpu does not load: no such library; computing on "cpu"\ncpu 2,4/);
  });
});

describe("a process", () => {
  it("says once where it computes, but not to tests, nor to who asks it to be quiet", () => {
    const heard = run({ VITEST: "" });
    expect(heard.match(/thalweg: computing on cpu \(ONNX Runtime on the processor, \d+ threads?\)/g)).toHaveLength(1);
    expect(run({ VITEST: "", THALWEG_QUIET: "1" })).toBe("cpu 2,4\n");
    expect(run({})).toBe("cpu 2,4\n");
  });
  it("takes its device from THALWEG_DEVICE, and goes on with a sentence when that does not work", () => {
    expect(run({ THALWEG_DEVICE: "reference" })).toBe("reference 2,4\n");
    expect(run({ THALWEG_DEVICE: "tensorflow-gpu" })).toMatch(
      /THALWEG_DEVICE: .*not installed; computing on "cpu"\ncpu 2,4/,
    );
    expect(run({ THALWEG_DEVICE: "cpu+fast" })).toMatch(
      /THALWEG_DEVICE: engine: tf32 or graphs is required after the name of a device, got "fast"/,
    );
  });
  it("knows whether somebody has said where to compute, by THALWEG_DEVICE or engine.use", () => {
    const asks = join(folder, "asks.mts");
    writeFileSync(
      asks,
      `import { engine } from ${JSON.stringify(`${root}lib/engine/index.ts`)};
       const before = engine.isChosen; await engine.use("cpu"); console.log(before, engine.isChosen);`,
    );
    const said = (env: NodeJS.ProcessEnv) =>
      execFileSync("node", ["--import", "tsx", asks], { cwd: root, env: { ...process.env, ...env }, encoding: "utf8" });
    expect(said({})).toBe("false true\n");
    expect(said({ THALWEG_DEVICE: "cpu" })).toBe("true true\n");
  });
  it("says what to install where the package that CUDA is called with is missing", () => {
    const block = join(folder, "no-koffi.cjs");
    writeFileSync(
      block,
      `const Module = require("node:module"); const find = Module._resolveFilename;
       Module._resolveFilename = (name, ...rest) => { if (name === "koffi") throw new Error("not found"); return find(name, ...rest); };`,
    );
    expect(run({ NODE_OPTIONS: `--require ${block}`, THALWEG_DEVICE: "cpu-capi" })).toMatch(
      /a device that works is required, got "cpu-capi"; the package koffi is not installed; `npm install koffi`; computing on "cpu"/,
    );
  });
  it("computes with tfjs-cpu, after a sentence, where ONNX Runtime does not load", () => {
    const block = join(folder, "block.cjs");
    writeFileSync(
      block,
      `const Module = require("node:module"); const load = Module._load;
       Module._load = (name, ...rest) => { if (name.startsWith("onnxruntime")) throw new Error("no such library"); return load(name, ...rest); };`,
    );
    const out = run({ NODE_OPTIONS: `--require ${block}` });
    expect(out).toMatch(/ONNX Runtime is required for speed, got "no such library"; .*\n[\s\S]*reference 2,4/);
  });
  it("at rest uses no processor time", async () => {
    const model = cnn(28, [32, 64], 64);
    const step = jit(trainer(model, sgd), { donate: [0] });
    let state = start(model, sgd);
    for (let i = 0; i < 3; i++) [state] = step(state, batch(model, 8, i), null, tf.scalar(0.01));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { user, system } = process.cpuUsage(before);
    // Two spinning threads would take a second of it.
    expect((user + system) / 1000).toBeLessThan(150);
  });
});
