/** `thalweg run`: executes a notebook and keeps it, as a notebook and as a page. */
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findJupyter } from "../jupyter.ts";
import { executeNotebook } from "../notebook/execute.ts";
import { type CodeCell, type Notebook, notebookJson, writeWhole } from "../notebook/nbformat.ts";
import { ensurePackages } from "../notebook/packages.ts";
import { notebookPage } from "../notebook/page.ts";
import { injectParameters, parseParameter } from "../notebook/parameters.ts";
import { progress } from "../notebook/progress.ts";
import { nameless, openNotebook } from "../notebook/read.ts";
import { faults } from "../stale/saved.ts";
import { preloadOption, typesOption, UsageError } from "./options.ts";
import { consent } from "./packages.ts";

export const usage = `thalweg run <notebook.ipynb | notebook.ts> [--html] [--param name=value]… [--timeout seconds] [--out folder] [--preload module | --no-preload] [--types warn|block|off] [--check] [--install]
  Runs every cell, shows progress, stops at the first error (exit code 1). Writes <out>/<name>.ipynb, and with --html <out>/<name>.html.
  Packages that it pins ("// npm: name@1.2.3") are installed into a folder of its own, if you agree or say --install.
  --check runs nothing: exit code 1 when saved outputs are stale or out of order, with a line for each cell.`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      html: { type: "boolean", default: false },
      timeout: { type: "string" },
      param: { type: "string", multiple: true, default: [] },
      out: { type: "string", default: "out" },
      preload: { type: "string" },
      "no-preload": { type: "boolean", default: false },
      types: { type: "string" },
      check: { type: "boolean", default: false },
      install: { type: "boolean", default: false },
    },
  });
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw new UsageError(usage);
  const timeout = values.timeout === undefined ? undefined : Number(values.timeout);
  if (timeout !== undefined && !(timeout > 0))
    throw new UsageError(`--timeout: a number of seconds is required, got ${values.timeout}`);
  const parameters = Object.fromEntries(values.param.map(parseParameter));
  const notebook = openNotebook(path);
  if (values.check) return check(notebook, path);
  const packages = await ensurePackages(path, notebook, consent(values.install));
  injectParameters(notebook, parameters);

  const name = nameless(basename(path));
  const started = performance.now();
  const shown = progress();
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.on("SIGINT", interrupt);
  let ok = false;
  const written: string[] = [];
  try {
    ok = await executeNotebook(notebook, {
      cwd: dirname(resolve(path)),
      ...preloadOption(values),
      ...(packages === undefined ? {} : { packages }),
      typeErrors: typesOption(values.types),
      ...(timeout === undefined ? {} : { timeout }),
      signal: abort.signal,
      events: shown,
    });
  } finally {
    process.off("SIGINT", interrupt);
    shown.close();
    // Also after an error: what was computed until then is worth keeping.
    const target = join(values.out, `${name}.ipynb`);
    writeWhole(target, notebookJson(notebook));
    written.push(target);
    if (values.html) {
      const page = join(values.out, `${name}.html`);
      writeWhole(page, notebookPage(notebook, { title: name }));
      written.push(page);
    }
  }
  const result = lastText(notebook.cells.filter((cell): cell is CodeCell => cell.cell_type === "code"));
  if (ok && result) console.log(`\n${result}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `\n${ok ? `Ran ${name} in ${seconds} s.` : `Stopped at an error after ${seconds} s; the notebook up to there was kept.`}`,
  );
  for (const file of written) console.log(`  ${relative(process.cwd(), resolve(file))}`);
  if (findJupyter("lab", "notebook"))
    console.log("Jupyter is here: `npx thalweg install` adds the kernel, `npx thalweg lab` opens it.");
  console.log(
    `To go on in the browser, without Jupyter: npx thalweg notebook ${relative(process.cwd(), resolve(path))}`,
  );
  return ok ? 0 : 1;
}

function check(notebook: Notebook, path: string): number {
  const found = faults(notebook);
  for (const { cell, why } of found) console.log(`${path}, code cell ${cell}: ${why}`);
  console.log(
    found.length === 0
      ? `${path}: every output is that of its cell, in order.`
      : "Run it from the top: npx thalweg run.",
  );
  return found.length === 0 ? 0 : 1;
}

/** The last thing shown that has a text form worth reading in a terminal. */
function lastText(cells: CodeCell[]): string | undefined {
  const outputs = cells.flatMap((cell) => cell.outputs);
  const shown = outputs.findLast(
    (output) => "data" in output && String(output.data["text/plain"] ?? "").includes("\n"),
  );
  return shown && "data" in shown ? String(shown.data["text/plain"]) : undefined;
}
