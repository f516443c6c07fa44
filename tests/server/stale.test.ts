import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { notebookOf } from "../../kernel/notebook/nbformat.ts";
import { faults } from "../../kernel/stale/saved.ts";
import { closeBrowser, desk, eventually, missing, notebook } from "./browser.ts";

describe.skipIf(missing !== "")(`stale cells in the page${missing ? ` (skipped: ${missing})` : ""}`, () => {
  afterAll(closeBrowser);

  it("are marked when what they use changes, and run in order when asked, but not what trains", async () => {
    const sources = [
      "const lr = 0.1",
      "const study = { run: async (x: number) => x * 2 }; const result = await study.run(lr)",
      "const shown = lr + 1",
      "shown * 10",
      "result",
    ];
    const { open, root } = await desk({ "s.ipynb": notebook(...sources) }, false);
    const tab = await open("s.ipynb");
    const stale = () =>
      Promise.all(sources.map(async (_, i) => /thalweg-stale/.test((await tab.cell(i).getAttribute("class")) ?? "")));
    for (const i of sources.keys()) await tab.run(i);
    await eventually(stale).toEqual([false, false, false, false, false]);
    await tab.cell(0).locator(".cm-content").click();
    await tab.page.keyboard.press("End");
    await tab.page.keyboard.type("5");
    await eventually(stale).toEqual([true, true, true, true, true]);
    await tab.page.keyboard.press("Control+Enter");
    await eventually(stale).toEqual([false, true, true, true, true]);
    expect(await tab.cell(2).locator(".jp-InputPrompt").getAttribute("title")).toBe(
      "Stale: lr was defined anew after it ran.",
    );
    if (process.env.PICTURES)
      for (const width of [700, 1280]) {
        await tab.page.setViewportSize({ width, height: 900 });
        await tab.picture(`stale-${width}`);
      }
    await tab.page.locator(".thalweg-run-stale button, .thalweg-run-stale jp-button").first().click();
    await eventually(stale).toEqual([false, true, false, false, true]);
    await eventually(() => tab.cell(3).locator(".jp-OutputArea").textContent()).toContain("11.5");
    expect(await tab.page.locator(".Toastify").textContent()).toContain("trains");
    const saved = () => notebookOf(JSON.parse(readFileSync(join(root, "s.ipynb"), "utf8")) as Record<string, unknown>);
    await tab.menu("File", "Save Notebook");
    await eventually(() => faults(saved()).map(({ cell }) => cell)).toEqual([2, 5]);
    await tab.run(1);
    await eventually(stale).toEqual([false, false, false, false, true]);
    await tab.run(4);
    await eventually(stale).toEqual([false, false, false, false, false]);
    await tab.menu("File", "Save Notebook");
    await eventually(() => faults(saved())).toEqual([]);
    expect(tab.complaints).toEqual([]);
  });
});
