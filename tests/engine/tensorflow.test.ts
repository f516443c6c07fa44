/**
 * The README's recipe for tfjs-node, followed to the letter, and the device that it gives.
 *
 * It downloads 230 MB and compiles, so it is done only where it is asked for: THALWEG_TENSORFLOW=<folder> names the folder to do it in, which
 * is kept and used again.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = new URL("../..", import.meta.url).pathname;
const folder = process.env.THALWEG_TENSORFLOW ?? "";
const recipe = /### tfjs-node from a TensorFlow wheel[\s\S]*?```sh\n([\s\S]*?)```/.exec(
  readFileSync(join(root, "lib/engine/README.md"), "utf8"),
)![1]!;

const run = (command: string, args: readonly string[], env: Record<string, string> = {}): string =>
  execFileSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });

describe.skipIf(folder === "")("tfjs-node built by the README's recipe", () => {
  it("is a device whose training steps agree with the processor's", { timeout: 600_000 }, () => {
    const modules = join(folder, "node_modules");
    if (!existsSync(join(modules, "@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node"))) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "package.json"), "{}");
      run("bash", ["-ec", recipe]);
    }
    // One TensorFlow.js core for all, as npm arranges it where both are dependencies of one program.
    for (const name of ["tfjs-core", "tfjs-layers", "tfjs-backend-cpu"]) {
      const [own, ours] = [
        join(modules, "@tensorflow", name),
        realpathSync(join(root, "node_modules/@tensorflow", name)),
      ];
      rmSync(own, { recursive: true, force: true });
      symlinkSync(ours, own);
    }
    const script = join(root, "tests/engine/tensorflow.ts");
    const printed = run(process.execPath, ["--import", import.meta.resolve("tsx"), script], {
      NODE_PATH: modules,
      THALWEG_QUIET: "1",
    });
    const { device, backend, apart } = JSON.parse(printed.trim().split("\n").at(-1)!) as {
      device: string;
      backend: string;
      apart: Record<string, number>;
    };
    expect([device, backend]).toEqual(["tensorflow", "tensorflow"]);
    expect(Object.keys(apart)).toHaveLength(4);
    for (const [name, distance] of Object.entries(apart)) expect(distance, name).toBeLessThan(1e-5);
    console.log(apart);
  });
});
