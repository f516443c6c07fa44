/** `test("name", () => …)` in a cell: runs at once, after those before it, and shows how it went; `thalweg test` counts. */
import { escapeHtml } from "../html.ts";
import { type TestResult, testMime } from "../notebook/test-results.ts";
import { awaited } from "./display.ts";
import { errorContent } from "./errors.ts";
import { show } from "./output.ts";

type Body = (context: { name: string }) => unknown;

let last: Promise<void> = Promise.resolve();

function add(name: string, body: Body | undefined): Promise<void> {
  if (typeof name !== "string" || name === "")
    throw new TypeError(
      `test: a name and a function are required, got ${typeof name === "string" ? "no name" : typeof name}`,
    );
  last = last.then(async () => {
    const started = performance.now();
    let error: TestResult["error"];
    try {
      await body?.({ name });
    } catch (thrown) {
      error = errorContent(thrown);
      if (error.ename === "Interrupted") throw thrown;
    }
    const outcome = body === undefined ? "skipped" : error ? "failed" : "passed";
    report({ name, outcome, ms: Math.round(performance.now() - started), ...(error ? { error } : {}) });
  });
  const done = last;
  // One that was interrupted does not keep the next from running.
  last = last.catch(() => {});
  awaited(done);
  return done;
}

const marks = { passed: "✓", failed: "✗", skipped: "–" };
const colours = { passed: "#2e7d32", failed: "#c62828", skipped: "#8a8a8a" };

function report(result: TestResult): void {
  const { name, outcome, ms, error } = result;
  const line = `${marks[outcome]} ${name}${outcome === "skipped" ? " (skipped)" : ` (${ms} ms)`}`;
  const text = error ? `${line}\n${error.traceback.join("\n")}` : line;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: tracebacks are coloured for terminals.
  const trace = error ? `<pre>${escapeHtml(error.traceback.join("\n").replace(/\u001b\[[0-9;]*m/g, ""))}</pre>` : "";
  show({
    [testMime]: result,
    "text/html": `<div><b style="color:${colours[outcome]}">${marks[outcome]}</b> ${escapeHtml(line.slice(2))}${trace}</div>`,
    "text/plain": text,
  });
}

export const test = Object.assign((name: string, body: Body) => add(name, body), {
  skip: (name: string, _body?: Body) => add(name, undefined),
});
