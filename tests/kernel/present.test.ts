import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { notebookOf } from "../../kernel/notebook/nbformat.ts";
import { notebookPage } from "../../kernel/notebook/page.ts";
import { findBrowser, printPdf } from "../../kernel/notebook/pdf.ts";
import { slidesOf } from "../../kernel/notebook/slides.ts";
import { temporaryFolder, testKernel } from "./support/kernel.ts";

const cell = (source: string, slide?: string, type = "markdown") => ({
  cell_type: type,
  id: source.replace(/\W/g, "") || "x",
  source,
  metadata: slide ? { slideshow: { slide_type: slide } } : {},
  ...(type === "code"
    ? { outputs: [{ output_type: "stream", name: "stdout", text: `said ${source}` }], execution_count: 1 }
    : {}),
});
const book = (...cells: unknown[]) => notebookOf({ nbformat: 4, metadata: {}, cells });

describe("a notebook as slides", () => {
  const sources = (notebook: ReturnType<typeof book>) =>
    slidesOf(notebook.cells).map((slide) =>
      slide.map(({ cell, fragment }) => (fragment ? `+${cell.source}` : cell.source)),
    );

  test("begins a slide at each heading of the first two levels where nothing is said", () => {
    expect(
      sources(
        book(cell("intro"), cell("# One"), cell("a", undefined, "code"), cell("### deep"), cell("## Two"), cell(" ")),
      ),
    ).toEqual([["intro"], ["# One", "a", "### deep"], ["## Two"]]);
  });

  test("does what the cells say where one says something", () => {
    expect(
      sources(
        book(
          cell("# One", "slide"),
          cell("more", "fragment"),
          cell("hidden", "notes"),
          cell("left", "skip"),
          cell("# not a slide"),
          cell("below", "subslide"),
        ),
      ),
    ).toEqual([["# One", "+more", "# not a slide"], ["below"]]);
  });

  test("is one page whose only script is named by its hash, and escapes what it shows", () => {
    const html = notebookPage(book(cell("# <script>alert(1)</script>"), cell("1 < 2", undefined, "code")), {
      title: "t",
      slides: true,
    });
    expect(html.match(/<script>/g)).toHaveLength(1);
    expect(html).toMatch(/script-src 'sha256-[\w+/=]+'/);
    expect(html.match(/<section class="slide">/g)).toHaveLength(1);
    expect(html).not.toContain("<script>alert");
  });
});

it.skipIf(findBrowser() === undefined)(
  "a page is printed as a PDF (skipped where there is no Chromium)",
  { timeout: 90_000 },
  async () => {
    const target = join(temporaryFolder(), "a.pdf");
    await printPdf(notebookPage(book(cell("# Title"), cell("1", undefined, "code")), { title: "t" }), target);
    const pdf = readFileSync(target);
    expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
    expect(pdf.length).toBeGreaterThan(5000);
  },
);

it("the kernel says what its process uses, and what the library said of itself", async () => {
  const k = testKernel();
  await k.execute(
    "globalThis[Symbol.for('Jupyter.status')]({ device: 'cpu', progress: { share: 0.5, text: 'half' } })",
  );
  const used = await k.request("usage_request", {}, { channel: "control" }).reply();
  expect(used).toMatchObject({ pid: k.kernel.pid, device: "cpu", progress: { share: 0.5, text: "half" } });
  if (process.platform === "linux") expect(Number(used.kernel_memory)).toBeGreaterThan(20e6);
  await k.execute("globalThis[Symbol.for('Jupyter.status')]({ progress: null })");
  expect(await k.request("usage_request", {}, { channel: "control" }).reply()).toMatchObject({
    device: "cpu",
    progress: null,
  });
  await k.close();
});
