/** Writes what gpu.sh brings to a machine without a network: the check and the specs of tfjs-core, each as one file, and the native parts. */
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const [to] = process.argv.slice(2);
if (to === undefined) throw new Error("pack: a folder is required, got none");
const root = fileURLToPath(new URL("../../..", import.meta.url));

for (const [entry, name] of [
  ["tests/bench/gpu/check.ts", "check.mjs"],
  ["tests/conformance/run.ts", "conformance.mjs"],
] as const)
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    outfile: join(to, name),
    external: [
      "onnxruntime-node",
      "onnxruntime-common",
      "koffi",
      "jasmine-core",
      "esbuild",
      "typescript",
      "@duckdb/node-api",
      "umap-js",
    ],
    banner: {
      js: 'import { createRequire as nodeRequire } from "node:module"; const require = nodeRequire(import.meta.url);',
    },
    logLevel: "error",
  });
cpSync(join(root, "tests/conformance/known.json"), join(to, "known.json"));

const modules = join(to, "node_modules");
const bring = (name: string, parts: readonly string[] = ["."]): void => {
  const folder = join(root, "node_modules", name);
  for (const part of ["package.json", ...parts]) {
    mkdirSync(dirname(join(modules, name, part)), { recursive: true });
    cpSync(join(folder, part), join(modules, name, part), { recursive: true, dereference: false });
  }
};
const binding = `bin/napi-v6/${process.platform}/${process.arch}`;
const library = process.platform === "darwin" ? "libonnxruntime.1.dylib" : "libonnxruntime.so.1";
bring("onnxruntime-node", ["dist", `${binding}/onnxruntime_binding.node`, `${binding}/${library}`]);
bring("onnxruntime-common");
bring("koffi");
bring(`@koromix/koffi-${process.platform}-${process.arch}`);
bring("jasmine-core");
