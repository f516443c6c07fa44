/**
 * Runs the specs that tfjs-core ships against a backend.
 *
 * `tsx tests/conformance/run.ts [--backend thalweg] [--device cpu] [--only regex] [--list] [--specs file]`. `--specs` takes the specs from a file,
 * and writes it where it is not there: for a machine where nothing is installed. Exits with 1 when a spec fails that
 * known.json does not excuse, or one passes that it does. `--list` prints the failures as JSON instead.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { Plugin } from "esbuild";

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: "thalweg" },
    device: { type: "string", default: "cpu" },
    only: { type: "string" },
    list: { type: "boolean", default: false },
    specs: { type: "string" },
  },
});
const root = fileURLToPath(new URL("../..", import.meta.url));
const core = `${root}node_modules/@tensorflow/tfjs-core/dist`;
const require = createRequire(import.meta.url);

/** Tests and backend must share one TensorFlow.js; its test helper must not load a second jasmine. */
const oneCore: Plugin = {
  name: "one-core",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@tensorflow\/tfjs-core$/ }, () => ({ path: `${core}/index.js` }));
    onResolve({ filter: /^@tensorflow\/tfjs-core\/dist\// }, ({ path }) => ({
      path: `${root}node_modules/${path}.js`,
    }));
    onResolve({ filter: /^jasmine-core\// }, () => ({ path: "jasmine", namespace: "stub" }));
    onLoad({ filter: /.*/, namespace: "stub" }, () => ({ contents: "exports.core = () => ({});", loader: "js" }));
    onResolve({ filter: /^spec-setup$/ }, ({ path }) => ({ path, namespace: "setup" }));
    onLoad({ filter: /.*/, namespace: "setup" }, () => ({
      resolveDir: root,
      contents: `
        import { setTestEnvs } from "@tensorflow/tfjs-core/dist/jasmine_util";
        import { register } from "./lib/engine/runtime/register.ts";
        import { useNamed } from "./lib/engine/devices.ts";
        register(0);
        if (${JSON.stringify(values.backend)} === "thalweg") useNamed(process.env.SPECS_DEVICE);
        setTestEnvs([{ name: "t", backendName: ${JSON.stringify(values.backend)}, flags: {}, isDataSync: true }]);`,
    }));
  },
};

interface Result {
  readonly fullName: string;
  readonly status: string;
  readonly failedExpectations: readonly { readonly message: string }[];
}
interface Jasmine {
  getEnv(): {
    configure(options: object): void;
    addReporter(reporter: object): void;
    execute(): Promise<unknown>;
  };
}

const bundle = resolve(values.specs ?? `${root}node_modules/.cache/thalweg-conformance-${process.pid}.mjs`);
if (!existsSync(bundle)) await written();
async function written(): Promise<void> {
  mkdirSync(`${root}node_modules/.cache`, { recursive: true });
  const { build } = await import("esbuild");
  await build({
    stdin: {
      contents: `
      import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
      import "@tensorflow/tfjs-core/dist/register_all_gradients";
      import "spec-setup";
      import "@tensorflow/tfjs-core/dist/tests";`,
      resolveDir: root,
    },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: bundle,
    ignoreAnnotations: true,
    mainFields: ["module", "main"],
    logLevel: "error",
    plugins: [oneCore],
    external: ["onnxruntime-node", "onnxruntime-common", "node-fetch"],
    banner: { js: 'import { createRequire as _r } from "node:module"; const require = _r(import.meta.url);' },
  });
}

const jasmine = (require("jasmine-core") as { boot(): Jasmine }).boot();
const env = jasmine.getEnv();
const only = values.only ? new RegExp(values.only) : null;
env.configure({
  random: false,
  forbidDuplicateNames: false,
  ...(only ? { specFilter: (spec: { getFullName(): string }) => only.test(spec.getFullName()) } : {}),
});
const results: Result[] = [];
env.addReporter({ specDone: (result: Result) => results.push(result) });
console.warn = () => {};
process.env.SPECS_DEVICE = values.device;
try {
  await import(pathToFileURL(bundle).href);
  await env.execute();
} finally {
  if (values.specs === undefined) rmSync(bundle);
}

const known = JSON.parse(readFileSync(new URL("known.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, string>
>;
// CUDA and the C interface run what the processor's programs are.
const excused = known[values.device] ?? (/^(cuda|cpu-capi)/.test(values.device) ? known.cpu! : {});
const ran = results.filter(({ status }) => status === "passed" || status === "failed");
const failed = ran.filter(({ status }) => status === "failed");
const name = (result: Result): string => result.fullName.replaceAll(/ ?t \{\}/g, "");
if (values.list) {
  console.log(
    JSON.stringify(
      Object.fromEntries(failed.map((r) => [name(r), r.failedExpectations[0]?.message.slice(0, 160)])),
      null,
      1,
    ),
  );
}
const surprises = failed.filter((result) => !(name(result) in excused));
const cured = ran.filter((result) => result.status === "passed" && name(result) in excused);
console.log(
  `${ran.length - failed.length} of ${ran.length} specs pass on ${values.backend} (${values.device}), ${failed.length - surprises.length} of the others are known`,
);
if (!values.list) {
  for (const one of surprises) console.log(`FAILED ${name(one)}: ${one.failedExpectations[0]?.message}`);
  for (const one of cured) console.log(`PASSES NOW, take it off the list: ${name(one)}`);
}
process.exit(surprises.length > 0 || cured.length > 0 ? 1 : 0);
