/** A stranger's notebook that was converted to a page ran the scripts of its outputs: nobody here had run its cells. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { run } from "../../kernel/commands/convert.ts";
import type { Notebook } from "../../kernel/notebook/nbformat.ts";
import { notebookPage } from "../../kernel/notebook/page.ts";
import { temporary } from "../server/support.ts";

const html = "<p>shown</p><script>document.title = 'pwned'</script>";
const output = { output_type: "display_data", data: { "text/html": html }, metadata: {} };
const cell = { cell_type: "code", source: "1", metadata: {}, execution_count: 1, outputs: [output] };
const strange = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [cell] };
const scripts = (page: string): string => /script-src ([^;"]*)/.exec(page)![1]!;

test("a page that is converted shows outputs and runs no script of theirs", async () => {
  const folder = temporary();
  writeFileSync(join(folder, "strange.ipynb"), JSON.stringify(strange));
  const said = vi.spyOn(console, "log").mockImplementation(() => {});
  expect(await run([join(folder, "strange.ipynb"), "--to", "html"])).toBe(0);
  said.mockRestore();
  const page = readFileSync(join(folder, "strange.html"), "utf8");
  expect(page).toContain("<p>shown</p>");
  expect(scripts(page)).toBe("'none'");
});

test("a page of one's own run has the script by its hash", () => {
  const page = notebookPage(strange as unknown as Notebook, { title: "own" });
  expect(scripts(page)).toMatch(/^'sha256-[^']+'$/);
});
