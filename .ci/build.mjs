// `npm run build`: the package that is published, in out/package. The output of the compiler, and of it the library as one bundle, which
// starts several times as fast as its five hundred files; the files it reads; and ONNX Runtime's binding for every platform, since the package onnxruntime-node fetches from outside the
// npm registry while it is installed.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const home = join(root, "out", "package");
const dist = join(home, "dist");
const lib = join(dist, "lib");
const require = createRequire(import.meta.url);
const slashes = (path) => path.replaceAll("\\", "/");
const below = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

if (!existsSync(join(root, "kernel/notebook-app/dist/page.json")))
  throw new Error("build: the notebook's page is required, got none; run npm run build:notebook first");

/** What a program may import itself, and must then meet only once; the others go into the bundle. */
const apart = ["arquero", "@uwdata/flechette", "danfojs-node"];

rmSync(home, { recursive: true, force: true });
const compiler = [require.resolve("typescript/bin/tsc"), "-p", join(root, "tsconfig.build.json"), "--outDir", dist];
execFileSync(process.execPath, compiler, { stdio: "inherit" });

/** What each folder's index exports, before the files go; asked in another process, since the library is there once. */
const folders = below(lib).filter((file) => /[\\/]index\.js$/.test(file) && dirname(file) !== lib);
const asking = `const out = {}; for (const at of JSON.parse(process.argv[1])) out[at] = Object.keys(await import(at)); process.stdout.write(JSON.stringify(out), () => process.exit());`;
const asked = JSON.stringify(folders.map((file) => pathToFileURL(file).href));
const exported = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", asking, asked], { encoding: "utf8" }));

const made = await build({
  absWorkingDir: root,
  entryPoints: ["index.js", "sweeps/parts/worker.js", "sweeps/parts/cell.js"].map((file) => join(lib, file)),
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  charset: "utf8",
  outbase: lib,
  outdir: join(dist, "bundle"),
  chunkNames: "[name]-[hash]",
  external: apart,
  metafile: true,
  legalComments: "eof",
  banner: { js: 'import { createRequire as nodeRequire } from "node:module"; const require = nodeRequire(import.meta.url);' },
  plugins: [
    {
      name: "thalweg",
      setup(bundle) {
        // TensorFlow.js is CommonJS: `import` would read every file twice, once for the names.
        bundle.onResolve({ filter: /^@tensorflow\// }, ({ path, kind }) =>
          kind === "require-call" ? { path, external: true } : { path, namespace: "required" },
        );
        bundle.onLoad({ filter: /.*/, namespace: "required" }, ({ path }) => ({
          contents: `module.exports = require(${JSON.stringify(path)});`,
        }));
        // A module goes on to see the files that lie beside it.
        bundle.onLoad({ filter: /\.js$/ }, ({ path }) => {
          const own = slashes(relative(lib, path));
          if (own.startsWith("..")) return undefined;
          const here = `new URL(${JSON.stringify(`./${own}`)}, import.meta.url).href`;
          return { contents: readFileSync(path, "utf8").replaceAll("import.meta.url", here), loader: "js" };
        });
      },
    },
  ],
});

for (const file of below(join(dist, "bundle"))) {
  // What sees files beside it must lie where it is told from; the banner has the one that is right anywhere.
  const seen = readFileSync(file, "utf8").split("import.meta.url").length - 1;
  if (seen > 1 && dirname(file) !== join(dist, "bundle")) throw new Error(`build: ${file} says import.meta.url below the root`);
}
for (const file of below(lib)) if (file.endsWith(".js")) rmSync(file);
cpSync(join(dist, "bundle"), lib, { recursive: true });
rmSync(join(dist, "bundle"), { recursive: true });

// Each folder's index gives what the whole gives under the same name.
const whole = await import(pathToFileURL(join(lib, "index.js")).href);
const spaces = Object.entries(whole).filter(([, value]) => value !== null && typeof value === "object");
for (const file of folders) {
  const names = exported[pathToFileURL(file).href];
  const up = slashes(relative(dirname(file), join(lib, "index.js")));
  const space = spaces.find(([, value]) => names.every((name) => name in value))?.[0];
  if (names.every((name) => name in whole)) writeFileSync(file, `export { ${names.join(", ")} } from "${up}";\n`);
  else if (space !== undefined)
    writeFileSync(file, `import { ${space} as all } from "${up}";\nexport const { ${names.join(", ")} } = all;\n`);
  else if (dirname(dirname(file)) === lib) throw new Error(`build: ${file} exports what lib/index.ts does not`);
}

// Declarations name the files that are there.
for (const file of below(dist)) {
  if (!file.endsWith(".d.ts")) continue;
  const text = readFileSync(file, "utf8");
  const named = text.replace(/((?:from |import\()"\.{1,2}\/[^"]*)\.ts"/g, '$1.js"');
  if (named !== text) writeFileSync(file, named);
}

// Files that are read: data, and programs that are no modules of the library.
for (const file of below(join(root, "lib"))) {
  if (/\.(ts|md)$/.test(file)) continue;
  const to = join(lib, relative(join(root, "lib"), file));
  mkdirSync(dirname(to), { recursive: true });
  cpSync(file, to);
}

cpSync(join(root, "kernel/widgets/views"), join(dist, "kernel/widgets/views"), { recursive: true });

// The licences of what is in the bundle.
const packages = new Set(
  Object.keys(made.metafile.inputs).flatMap((input) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []),
);
const licences = [...packages].sort().map((name) => {
  const folder = join(root, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (file === undefined) throw new Error(`build: ${name} is in the bundle and has no licence file`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
});
writeFileSync(join(dist, "THIRD-PARTY.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));

// ONNX Runtime's binding: what runs on the processor and on a GPU through WebGPU; CUDA and DirectML are not carried.
const ort = dirname(require.resolve("onnxruntime-node/package.json"));
const native = join(dist, "native");
rmSync(native, { recursive: true, force: true });
const { name, version, license, author, repository, main } = JSON.parse(readFileSync(join(ort, "package.json"), "utf8"));
mkdirSync(native, { recursive: true });
writeFileSync(
  join(native, "package.json"),
  `${JSON.stringify({ name, version, license, author, repository, main, type: "commonjs" }, null, 2)}\n`,
);
cpSync(join(ort, "dist/binding.js"), join(native, "dist/binding.js"));
for (const file of below(join(ort, "bin"))) {
  const inside = slashes(relative(ort, file));
  // The binding asks for libonnxruntime.1.dylib; the package has the same file under a second name.
  if (/DirectML|providers_|libonnxruntime\.\d+\.\d+\.\d+\.dylib$/.test(inside)) continue;
  cpSync(file, join(native, inside));
}
for (const file of ["LICENSE.txt", "ThirdPartyNotices.txt"]) cpSync(join(root, ".ci/notices", file), join(native, file));

// What lies beside: the command, the notebook's page, the texts, and the description without what only a clone needs.
for (const file of ["kernel/bin.mjs", "kernel/notebook-app/dist", "README.md", "CHANGELOG.md", "CATALOGUE.md", "LICENSE"])
  cpSync(join(root, file), join(home, file), { recursive: true });
const { scripts: _, devDependencies: __, ...told } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const scripts = { postinstall: "node dist/lib/engine/runtime/prune.mjs" };
writeFileSync(join(home, "package.json"), `${JSON.stringify({ ...told, scripts }, null, 2)}\n`);
