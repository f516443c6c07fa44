import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { notebookJson, notebookOf, readNotebook } from "../../kernel/notebook/nbformat.ts";
import { notebookOfSource, sourceOf } from "../../kernel/notebook/source.ts";
import { temporaryFolder, testKernel } from "./support/kernel.ts";

const root = new URL("../..", import.meta.url).pathname;
const cli = (...args: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", join(root, "kernel/cli.ts"), ...args], {
    cwd: root,
    encoding: "utf8",
  });
const book = (cells: unknown[], metadata = {}) => notebookOf({ nbformat: 4, metadata, cells });
const code = (source: string, more = {}) => ({
  cell_type: "code",
  id: "x",
  metadata: {},
  source,
  outputs: [],
  execution_count: null,
  ...more,
});
const cellsOf = (text: string) => notebookOfSource(text).cells.map(({ cell_type, source }) => [cell_type, source]);

describe("a notebook as source", () => {
  test("has marks between cells, text as comments, and says of a cell only what is not the usual", () => {
    const made = sourceOf(
      book([
        { cell_type: "markdown", id: "t", metadata: {}, source: "# Title\n\nwords  " },
        code("const a = 1", { id: "c", metadata: { tags: ["parameters"] } }),
        code("a + 1", { id: "d" }),
      ]),
    );
    expect(made).toBe(`// %% [markdown] {"id":"t"}
// # Title
//
// words  

// %% {"id":"c","metadata":{"tags":["parameters"]}}
const a = 1

// %% {"id":"d"}
a + 1

// %% [exports]
export { a };
`);
  });

  test("of one's own writing needs no ids, and stays as it is", () => {
    const text = "// %% [markdown]\n// # Mine\n\n// %%\nconst x = 2\n\n// %%\nx\n\n// %% [exports]\nexport { x };\n";
    expect(cellsOf(text)).toEqual([
      ["markdown", "# Mine"],
      ["code", "const x = 2"],
      ["code", "x"],
    ]);
    expect(sourceOf(notebookOfSource(text))).toBe(text);
    expect(cellsOf("const before = 1\n\n// %%\nafter\n")).toEqual([
      ["code", "const before = 1"],
      ["code", "after"],
    ]);
    expect(() => notebookOfSource("// %% {broken}\n")).toThrow(/JSON is required, got \/\/ %% \{broken\}/);
  });

  test("is the same notebook again, whatever is in its cells", () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom("", "// %%", "// %%% x", "// %% [markdown]", "// text", "//", "`", "let a = 1", "  "),
    );
    const text = fc.array(line, { maxLength: 6 }).map((lines) => lines.join("\n").replaceAll("\r", ""));
    const cell = fc.record({
      cell_type: fc.constantFrom("code", "markdown", "raw"),
      source: text,
      metadata: fc.constantFrom({}, { tags: ["a"] }, { thalweg: { keep: 1 } }),
      id: fc.stringMatching(/^[a-z]{3,8}$/),
    });
    fc.assert(
      fc.property(fc.uniqueArray(cell, { maxLength: 5, selector: ({ id }) => id }), (cells) => {
        const full = cells.map((one) =>
          one.cell_type === "code" ? { ...one, outputs: [], execution_count: null } : one,
        );
        const notebook = book(full, { title: "t" });
        const again = notebookOfSource(sourceOf(notebook));
        expect(again.cells).toEqual(notebook.cells);
        expect(again.metadata.title).toBe("t");
        expect(sourceOf(again)).toBe(sourceOf(notebook));
      }),
      { numRuns: 300 },
    );
  });

  test.each(readdirSync(join(root, "notebooks")).filter((name) => name.endsWith(".ipynb")))(
    "%s comes back byte for byte, with its outputs",
    (name) => {
      const notebook = readNotebook(join(root, "notebooks", name));
      const again = notebookOfSource(sourceOf(notebook), notebook);
      expect(JSON.parse(notebookJson(again))).toEqual(JSON.parse(notebookJson(notebook)));
    },
  );

  test("keeps the outputs of cells that say the same, and drops those of cells that do not", () => {
    const output = { output_type: "stream", name: "stdout", text: "x" };
    const before = book([
      code("1", { id: "a", outputs: [output], execution_count: 3 }),
      code("2", { id: "b", outputs: [output], execution_count: 4 }),
    ]);
    const after = notebookOfSource('// %% {"id":"a"}\n1\n\n// %% {"id":"b"}\n22\n', before);
    expect(after.cells.map((cell) => cell.cell_type === "code" && [cell.outputs.length, cell.execution_count])).toEqual(
      [
        [1, 3],
        [0, null],
      ],
    );
  });

  test("imports what cells have without asking, and exports what they declare; one that declares a name twice says so", () => {
    const names = new Set(["digits", "other"]);
    const made = sourceOf(
      book([code("const data = digits(); test('x', () => other2(data))"), code("export function f() {}", { id: "y" })]),
      { names },
    );
    expect(made).toContain('import { test } from "node:test";\nimport { digits } from "thalweg";\n');
    expect(made).toContain("export { data };");
    expect(sourceOf(book([code("let a"), code("let a", { id: "y" })]))).toContain(
      "// No other file can import this one: a is declared",
    );
  });
});

describe("the command line", () => {
  it("converts both ways; a cell of another notebook imports the source", { timeout: 60_000 }, async () => {
    const folder = temporaryFolder();
    writeFileSync(
      join(folder, "a.ipynb"),
      JSON.stringify({
        nbformat: 4,
        nbformat_minor: 5,
        metadata: {},
        cells: [code("export const twice = (n: number): number => 2 * n"), code("const four = twice(2)", { id: "y" })],
      }),
    );
    const first = cli("convert", join(folder, "a.ipynb"), "--to", "ts");
    expect(first.stderr).toBe("");
    expect(cli("convert", join(folder, "a.ts"), "--to", "ipynb", "--out", join(folder, "b.ipynb")).status).toBe(0);
    expect(readNotebook(join(folder, "b.ipynb")).cells).toEqual(readNotebook(join(folder, "a.ipynb")).cells);
    const k = testKernel({ cwd: folder });
    expect((await k.execute("import { twice, four } from './a.ts'; twice(four)")).result).toBe("8");
    await k.close();
  });

  it("tests the cells of a notebook in either form: names, outcomes, where it failed; writes nothing", {
    timeout: 60_000,
  }, () => {
    const folder = temporaryFolder();
    const path = join(folder, "t.ts");
    writeFileSync(
      path,
      `// %%
import assert from "node:assert/strict"
const sum = (a: number, b: number) => a + b

// %%
test("adds", () => assert.equal(sum(1, 2), 3))
test("is late", async () => { await new Promise((r) => setTimeout(r, 5)); assert.ok(true) })
test.skip("later", () => {})
`,
    );
    const good = cli("test", path, "--no-preload", "--types", "off");
    expect(good.stdout).toMatch(/✓ adds \(\d+ ms\)\n {2}✓ is late \(\d+ ms\)\n {2}– later \(skipped\)/);
    expect(good.stdout).toContain("2 passed, 0 failed, 1 skipped");
    expect(good.status).toBe(0);
    writeFileSync(path, "// %%\ntest('wrong', () => { throw new Error('no') })\n\n// %%\ntest('after', () => {})\n");
    const bad = cli("test", path, "--no-preload", "--types", "off");
    expect(bad.stdout).toMatch(/✗ wrong[\s\S]*no[\s\S]*cell_1\.ts:1[\s\S]*✓ after[\s\S]*1 passed, 1 failed/);
    expect(bad.status).toBe(1);
    expect(existsSync(join(folder, "out"))).toBe(false);
    expect(readFileSync(path, "utf8")).toContain("wrong");
    writeFileSync(path, "// %%\n1\n");
    expect(cli("test", path, "--no-preload", "--types", "off").stdout).toContain("No cell has a test");
  });

  it("refuses a stale notebook with --check, and runs a source", { timeout: 60_000 }, () => {
    const folder = temporaryFolder();
    const path = join(folder, "s.ts");
    writeFileSync(path, "// %%\nlet a = 1\n\n// %%\na\n");
    expect(cli("run", path, "--no-preload", "--types", "off", "--out", folder).status).toBe(0);
    const made = join(folder, "s.ipynb");
    expect(cli("run", made, "--check").stdout).toMatch(/every output is that of its cell/);
    writeFileSync(made, readFileSync(made, "utf8").replace("let a = 1", "let a = 2"));
    const refused = cli("run", made, "--check");
    expect(refused.status).toBe(1);
    expect(refused.stdout).toMatch(/code cell 1: it was edited after it ran/);
  });
});
