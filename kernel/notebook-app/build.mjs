/**
 * Bundles the page into dist/: scripts and style of the application, the two themes, and the schemas of the settings. Needs
 * `npm ci` in this folder; `thalweg notebook` does both when the page is not there.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const jupyterlab = join(here, "node_modules", "@jupyterlab");

/** Left out: diagrams are 6 MB that a notebook seldom needs; they stay code. Their loader then says so in the page. */
const absent = /^(mermaid|@mermaid-js\/layout-elk)$/;

/** What the packages expect of a bundler that is not esbuild. */
const adapter = {
  name: "jupyterlab",
  setup(bundle) {
    bundle.onResolve({ filter: absent }, ({ path }) => ({ path, namespace: "absent" }));
    bundle.onLoad({ filter: /.*/, namespace: "absent" }, ({ path }) => ({
      contents: `throw new Error("${path} is not part of this page");`,
    }));
    bundle.onResolve({ filter: /^~/ }, ({ path, kind, resolveDir }) =>
      bundle.resolve(path.slice(1), { kind, resolveDir }),
    );
    // Icons are text in scripts and images in styles. Every browser that can run the page reads woff2; other forms of fonts are left out.
    bundle.onLoad({ filter: /\.svg$/ }, ({ path }) => ({ contents: readFileSync(path), loader: "text" }));
    bundle.onResolve({ filter: /\.(svg|eot|ttf|woff)([?#].*)?$/ }, ({ path, kind, resolveDir }) => {
      if (kind !== "url-token" || path.startsWith("data:")) return undefined;
      const icon = path.endsWith(".svg") && !/webfonts|fa-\w+-\d+/.test(path);
      const text = icon ? readFileSync(join(resolveDir, path), "utf8").replace(/\s+/g, " ") : "";
      return { path: icon ? `data:image/svg+xml,${encodeURIComponent(text)}` : "data:,", external: true };
    });
    // Markup in a notebook clicks no commands, also before the settings are read. The setting says so too (server/settings.ts).
    bundle.onLoad({ filter: /@jupyterlab[\\/]apputils[\\/]lib[\\/]sanitizer\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const closed = text.replace("this._allowCommandLinker = true;", "this._allowCommandLinker = false;");
      if (closed === text) throw new Error(`${path} has changed: command linkers must begin forbidden`);
      return { contents: closed, loader: "js" };
    });
    // MathJax is CommonJS: a dynamic import of it has its exports below `default`.
    bundle.onLoad({ filter: /mathjax-extension[\\/]lib[\\/].*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(
        /import\((['"][^'"]+['"])\)/g,
        "import($1).then((m) => m.default ?? m)",
      ),
      loader: "js",
    }));
  },
};

const common = {
  bundle: true,
  minify: true,
  absWorkingDir: here,
  plugins: [adapter],
  loader: { ".woff2": "file", ".woff": "file", ".ttf": "file", ".png": "dataurl", ".gif": "dataurl" },
  assetNames: "assets/[name]-[hash]",
  legalComments: "linked",
  logLevel: "warning",
};

rmSync(dist, { recursive: true, force: true });
const { metafile } = await build({
  ...common,
  entryPoints: { main: "src/main.ts" },
  outdir: "dist/app",
  format: "esm",
  splitting: true,
  target: "es2022",
  platform: "browser",
  mainFields: ["module", "browser", "main"],
  chunkNames: "chunks/[name]-[hash]",
  define: {
    global: "globalThis",
    "process.env.NODE_ENV": '"production"',
    __dirname: '""',
  },
  alias: { path: "path-browserify" },
  inject: ["src/process.ts"],
  metafile: true,
});
// The frame of widgets is one text: the server puts it into a document that may load nothing from here.
await build({ ...common, entryPoints: { frame: "src/frame.ts" }, outdir: "dist", format: "iife", target: "es2022" });
for (const theme of ["theme-light-extension", "theme-dark-extension"]) {
  await build({
    ...common,
    entryPoints: { index: `node_modules/@jupyterlab/${theme}/style/theme.css` },
    outdir: `dist/themes/@jupyterlab/${theme}`,
  });
}

const schemas = [];
for (const name of readdirSync(jupyterlab).sort()) {
  const folder = join(jupyterlab, name, "schema");
  if (!existsSync(folder)) continue;
  const { version } = JSON.parse(readFileSync(join(jupyterlab, name, "package.json"), "utf8"));
  for (const file of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
    const schema = JSON.parse(readFileSync(join(folder, file), "utf8"));
    if (schema.type === "object")
      schemas.push({ id: `@jupyterlab/${name}:${file.replace(/\.json$/, "")}`, version, schema });
  }
}
writeFileSync(join(dist, "schemas.json"), JSON.stringify(schemas));

/** The scripts that the page loads at once, so that it can ask for all of them together. */
const outputs = metafile.outputs;
const first = new Set();
const follow = (path) => {
  if (first.has(path)) return;
  first.add(path);
  for (const { path: next, kind } of outputs[path]?.imports ?? []) if (kind === "import-statement") follow(next);
};
follow("dist/app/main.js");
mkdirSync(dist, { recursive: true });
const scripts = [...first].filter((path) => path in outputs).map((path) => path.replace(/^dist\//, ""));
writeFileSync(join(dist, "page.json"), JSON.stringify({ scripts }));

const size = (paths) => (paths.reduce((sum, path) => sum + (outputs[path]?.bytes ?? 0), 0) / 1e6).toFixed(1);
console.log(
  `The notebook page: ${size(Object.keys(outputs))} MB in ${Object.keys(outputs).length} files; ${size([...first])} MB of script at the start.`,
);
