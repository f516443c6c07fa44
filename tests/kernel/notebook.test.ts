// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are code in strings.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { executeNotebook } from "../../kernel/notebook/execute.ts";
import { highlight } from "../../kernel/notebook/highlight.ts";
import { markdownHtml } from "../../kernel/notebook/markdown.ts";
import { type CodeCell, type Notebook, notebookJson, notebookOf } from "../../kernel/notebook/nbformat.ts";
import { notebookPage } from "../../kernel/notebook/page.ts";
import { injectParameters, parseParameter } from "../../kernel/notebook/parameters.ts";
import { temporaryFolder } from "./support/kernel.ts";
import { checkNotebook } from "./support/nbformat.ts";

const code = (source: string, metadata: object = {}) => ({
  cell_type: "code",
  source,
  metadata,
  execution_count: null,
  outputs: [],
});
const text = (source: string) => ({ cell_type: "markdown", source, metadata: {} });
const notebook = (...cells: object[]): Notebook => notebookOf({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
const codeCells = (n: Notebook) => n.cells.filter((cell): cell is CodeCell => cell.cell_type === "code");

const everything = () =>
  notebook(
    text("# All kinds\n<script>alert(1)</script>"),
    code(
      "console.log('line'); console.error('warn'); process.stdout.write('10%\\r'); process.stdout.write('100%\\n'); undefined",
    ),
    code("display.html('<b>html</b>'); display.json({ a: [1] }); display.png('aGk='); [{ a: 1 }]"),
    code(
      "const show = (globalThis as any)[Symbol.for('Jupyter.display')]; show({ 'text/plain': 'one' }, { displayId: 'x' }); show({ 'text/plain': 'two' }, { displayId: 'x', update: true })",
    ),
    code(
      "display.raw({ 'application/vnd.plotly.v1+json': { data: [{ y: [1, 2] }] }, 'image/svg+xml': '<svg id=\"still\"></svg>', 'text/plain': 'figure' })",
    ),
    code("throw new Error('the end')"),
    code("'never'"),
  );

describe("running a notebook", () => {
  it("keeps every kind of output, stops at the first error, and writes valid nbformat 4.5", async () => {
    const book = everything();
    const seen: string[] = [];
    const ok = await executeNotebook(book, {
      cwd: temporaryFolder(),
      events: { cell: (_, i, n) => seen.push(`${i}/${n}`) },
    });
    expect(ok).toBe(false);
    expect(seen).toEqual(["1/6", "2/6", "3/6", "4/6", "5/6"]);
    const [printed, displayed, live, figure, failed, never] = codeCells(book);
    expect(printed!.outputs).toEqual([
      { output_type: "stream", name: "stdout", text: "line\n" },
      { output_type: "stream", name: "stderr", text: "warn\n" },
      { output_type: "stream", name: "stdout", text: "100%\n" },
    ]);
    expect(displayed!.outputs.map((o) => o.output_type)).toEqual([
      "display_data",
      "display_data",
      "display_data",
      "execute_result",
    ]);
    expect(live!.outputs).toMatchObject([{ data: { "text/plain": "two" } }]);
    expect(figure!.outputs).toMatchObject([
      { metadata: { thalweg: "plotly.js" } },
      { data: { "text/html": expect.stringContaining("still") } },
    ]);
    expect(failed!.outputs).toMatchObject([{ output_type: "error", ename: "Error", evalue: "the end" }]);
    expect([never!.execution_count, never!.outputs]).toEqual([null, []]);
    const written = JSON.parse(notebookJson(book)) as Record<string, unknown>;
    checkNotebook(written);
    expect(notebookJson(notebookOf(written))).toBe(notebookJson(book));
    validateWithPython(written);
  });

  it("keeps a type error with the cell it is of, though the next cells ran before it was found", async () => {
    const book = notebook(code("const n: number = 'text';"), code("n"));
    expect(await executeNotebook(book, { cwd: temporaryFolder() })).toBe(true);
    expect(codeCells(book)[0]!.outputs).toMatchObject([{ name: "stderr", text: expect.stringContaining("TS2322") }]);
    expect(codeCells(book)[1]!.outputs.length).toBe(1);
  });

  it("stops a cell that takes longer than it may", async () => {
    const book = notebook(code("while (true);"), code("1"));
    expect(await executeNotebook(book, { cwd: temporaryFolder(), timeout: 0.3 })).toBe(false);
    expect(codeCells(book)[0]!.outputs).toMatchObject([
      { output_type: "stream", text: expect.stringContaining("0.3 s") },
      { ename: "Interrupted" },
    ]);
  });

  it("runs from the notebook's folder, and can be stopped from outside", async () => {
    const folder = temporaryFolder();
    const abort = new AbortController();
    const book = notebook(code("process.cwd()"), code("await new Promise(() => {})"), code("1"));
    const running = executeNotebook(book, {
      cwd: folder,
      signal: abort.signal,
      events: { cell: (_, i) => i === 2 && setTimeout(() => abort.abort(), 100) },
    });
    expect(await running).toBe(false);
    expect(codeCells(book)[0]!.outputs).toMatchObject([{ data: { "text/plain": `'${folder}'` } }]);
  });
});

/** nbformat's own validator has the last word where Python has it. */
function validateWithPython(written: unknown): void {
  const check = "import sys, json, nbformat; nbformat.validate(json.load(sys.stdin))";
  for (const python of ["python3", "/usr/bin/python3"]) {
    if (spawnSync(python, ["-c", "import nbformat"]).status !== 0) continue;
    const { status, stderr } = spawnSync(python, ["-c", check], { input: JSON.stringify(written), encoding: "utf8" });
    expect(status, stderr).toBe(0);
    return;
  }
}

describe("parameters", () => {
  it("are JSON where they are JSON and text otherwise", () => {
    expect(["steps=3", "name=two words", "list=[1,2]", "on=true", "eq=a=b", "empty="].map(parseParameter)).toEqual([
      ["steps", 3],
      ["name", "two words"],
      ["list", [1, 2]],
      ["on", true],
      ["eq", "a=b"],
      ["empty", ""],
    ]);
    expect(() => parseParameter("no value")).toThrow("name=value is required, got no value");
  });

  it("come after the cell tagged parameters, and override it for what it defines", async () => {
    const book = notebook(
      code("let steps = 100; const twice = () => 2 * steps", { tags: ["parameters"] }),
      code("[steps, twice(), extra]"),
    );
    injectParameters(book, { steps: 3, extra: "</script>" });
    injectParameters(book, { steps: 3, extra: "</script>" });
    expect(book.cells.length).toBe(3);
    expect(await executeNotebook(book, { cwd: temporaryFolder() })).toBe(true);
    expect(codeCells(book)[2]!.outputs).toMatchObject([{ data: { "text/plain": "[ 3, 6, '</script>' ]" } }]);
  });
});

describe("the page of a notebook", () => {
  it("is one file: no network, plotly.js once, figures as data, every script named in the policy by its hash", async () => {
    const book = everything();
    await executeNotebook(book, { cwd: temporaryFolder() });
    const page = notebookPage(book, { title: "t" });
    expect(page).toContain("<title>All kinds</title>");
    expect(page.match(/plotly\.js \(cartesian/g)?.length).toBe(1);
    expect(page).toContain('<svg id="still">');
    expect(page).toContain("&#60;script&#62;alert(1)");
    expect(page.replace(/<script[\s\S]*?<\/script>/g, "")).not.toMatch(/(src|href)="https?:/);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;
    expect(policy).toMatch(/^default-src 'none'/);
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]!);
    expect(scripts.length).toBe(2);
    for (const s of scripts) expect(policy).toContain(createHash("sha256").update(s).digest("base64"));
    expect(page).toContain('<pre class="output error">');
  });

  it("carries no script when there is nothing to draw", () => {
    expect(notebookPage(notebook(text("only text")), { title: "<t>" })).toMatch(
      /script-src 'none'[\s\S]*<title>&#60;t&#62;<\/title>/,
    );
  });

  it("colours code without changing it", () => {
    const source = "const a = `x${1}` // <b>\nif (a) /re[/]x/.test('y\\'z') ? 0x1F : 1e-3n; /* open";
    const html = highlight(source);
    const back = html.replace(/<[^>]+>/g, "").replace(/&#(\d+);/g, (_, n: string) => String.fromCharCode(Number(n)));
    expect(back).toBe(source);
    expect(html).toContain('<span class="keyword">const</span>');
    expect(html).toContain('<span class="comment">// &#60;b&#62;</span>');
  });

  it("renders markdown with HTML as text, dangerous links as text, foreign pictures as links, attachments as pictures", () => {
    const html = markdownHtml(
      "[a](javascript:alert(1)) [b](https://x.y) ![c](https://x.y/z.png) ![d](attachment:p.png) <img src=x onerror=alert(1)>",
      { "p.png": { "image/png": "aGk=" } },
    );
    expect(html).not.toMatch(/javascript:|<img src=x/);
    expect(html).toContain('<a href="https://x.y" rel="noopener">b</a>');
    expect(html.match(/<img /g)?.length).toBe(1);
    expect(html).toContain("data:image/png;base64,aGk=");
  });
});

describe("the command line", () => {
  const cli = (...args: string[]) =>
    spawnSync(process.execPath, ["--import", "tsx", "kernel/cli.ts", ...args], { encoding: "utf8" });
  const saved = (folder: string, ...cells: object[]) => {
    const path = join(folder, "book.ipynb");
    writeFileSync(
      path,
      JSON.stringify({
        nbformat: 4,
        nbformat_minor: 5,
        metadata: {},
        cells: cells.map((cell, i) => ({ id: `c${i}`, ...cell })),
      }),
    );
    return path;
  };

  it("run executes, prints progress and result, writes notebook and page; a failing cell is exit code 1 with the partial notebook kept", () => {
    const folder = temporaryFolder();
    const path = saved(
      folder,
      code("const n = 2", { tags: ["parameters"] }),
      code("console.log('value', n)\nthrow new Error('halt')"),
    );
    const { status, stdout } = cli(
      "run",
      path,
      "--html",
      "--out",
      join(folder, "out"),
      "--param",
      "n=40",
      "--no-preload",
    );
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /\[1\/3\] const n = 2[\s\S]*\[3\/3\] console\.log[\s\S]*value 40[\s\S]*halt[\s\S]*Stopped at an error/,
    );
    const written = JSON.parse(readFileSync(join(folder, "out/book.ipynb"), "utf8")) as { cells: CodeCell[] };
    checkNotebook(written);
    expect(written.cells[2]!.outputs.at(-1)).toMatchObject({ evalue: "halt" });
    expect(readFileSync(join(folder, "out/book.html"), "utf8")).toContain("value 40");
  });

  it("convert makes a page, without running anything", () => {
    const folder = temporaryFolder();
    const path = saved(folder, code("1"));
    expect(cli("convert", path, "--to", "html").status).toBe(0);
    expect(existsSync(join(folder, "book.html"))).toBe(true);
  });

  it("install writes a kernelspec that names this package, uninstall removes it", () => {
    const folder = temporaryFolder();
    expect(cli("install", "--prefix", folder).status).toBe(0);
    const place = join(folder, "share/jupyter/kernels/thalweg");
    const spec = JSON.parse(readFileSync(join(place, "kernel.json"), "utf8")) as { argv: string[] };
    expect(spec).toMatchObject({ language: "typescript", interrupt_mode: "message" });
    expect(spec.argv.slice(2)).toEqual(["kernel", "{connection_file}"]);
    expect(existsSync(spec.argv[1]!)).toBe(true);
    expect(cli("uninstall", "--prefix", folder).status).toBe(0);
    expect(existsSync(place)).toBe(false);
  });

  it("repl runs lines, waits for the end of what is open, shows errors and help", () => {
    const input = "const a = 20\nfunction f() {\n  return a + 22\n}\nf()\nnope\nf?\nprompt('still there?')\n";
    const { stdout } = spawnSync(
      process.execPath,
      ["--import", "tsx", "kernel/cli.ts", "repl", "--no-preload", "--types", "warn"],
      { encoding: "utf8", input, timeout: 50_000 },
    );
    expect(stdout).toMatch(
      /42[\s\S]*nope is not defined[\s\S]*function f\(\): number[\s\S]*the question was interrupted/,
    );
  });

  it("says what is wrong with a call, in a sentence", () => {
    for (const [args, message] of [
      [["nonsense"], /no command nonsense/],
      [["run"], /thalweg run <notebook\.ipynb/],
      [["run", "nowhere.ipynb"], /nowhere\.ipynb must be a notebook/],
      [["run", "package.json"], /nbformat 4 with cells/],
      [["run", "x.ipynb", "--timeout", "soon"], /a number of seconds is required, got soon/],
    ] as [string[], RegExp][]) {
      const { status, stderr } = cli(...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
  });
});
