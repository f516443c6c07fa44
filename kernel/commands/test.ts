/** `thalweg test`: runs notebooks and says how the tests in their cells went. */
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { executeNotebook } from "../notebook/execute.ts";
import type { CodeCell } from "../notebook/nbformat.ts";
import { openNotebook } from "../notebook/read.ts";
import { type TestResult, testResult } from "../notebook/test-results.ts";
import { preloadOption, typesOption, UsageError } from "./options.ts";

export const usage = `thalweg test <notebook.ipynb | notebook.ts>… [--timeout seconds] [--preload module | --no-preload] [--types warn|block|off]
  Runs every cell and counts test("name", () => …); exit code 1 when one failed, a cell ended in an error, or there was none. Writes nothing.`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      timeout: { type: "string" },
      preload: { type: "string" },
      "no-preload": { type: "boolean", default: false },
      types: { type: "string" },
    },
  });
  if (positionals.length === 0) throw new UsageError(usage);
  const timeout = values.timeout === undefined ? undefined : Number(values.timeout);
  if (timeout !== undefined && !(timeout > 0))
    throw new UsageError(`--timeout: a number of seconds is required, got ${values.timeout}`);
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.on("SIGINT", interrupt);
  const all: TestResult[] = [];
  let broken = 0;
  try {
    for (const path of positionals) {
      console.log(path);
      let current: CodeCell | undefined;
      const ok = await executeNotebook(openNotebook(path), {
        cwd: dirname(resolve(path)),
        ...preloadOption(values),
        typeErrors: typesOption(values.types),
        ...(timeout === undefined ? {} : { timeout }),
        signal: abort.signal,
        events: {
          cell: (cell) => void (current = cell),
          output(output) {
            const result = testResult(output);
            if (!result) return;
            all.push(result);
            const text = "data" in output ? String(output.data["text/plain"]) : result.name;
            console.log(text.replace(/^/gm, "  "));
          },
        },
      });
      const error = current?.outputs.find((output) => output.output_type === "error");
      if (!ok) broken++;
      if (!ok && error?.output_type === "error")
        console.log(`  ✗ a cell ended in an error:\n${error.traceback.join("\n").replace(/^/gm, "    ")}`);
    }
  } finally {
    process.off("SIGINT", interrupt);
  }
  const count = (outcome: TestResult["outcome"]) => all.filter((result) => result.outcome === outcome).length;
  const skipped = count("skipped") > 0 ? `, ${count("skipped")} skipped` : "";
  console.log(`\n${count("passed")} passed, ${count("failed")} failed${skipped}`);
  if (all.length === 0) console.log('No cell has a test: test("what holds", () => { … })');
  return count("failed") > 0 || broken > 0 || all.length === 0 ? 1 : 0;
}
