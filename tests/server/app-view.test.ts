import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { notebookOf } from "../../kernel/notebook/nbformat.ts";
import { notebookPage } from "../../kernel/notebook/page.ts";
import { closeBrowser, desk, eventually, missing, notebook, pictures } from "./browser.ts";

const text = (source: string) => ({ cell_type: "markdown", id: source.slice(2, 6), metadata: {}, source });

describe.skipIf(missing !== "")(`a notebook shown (skipped: ${missing})`, () => {
  afterAll(closeBrowser);

  it("as an app has no code and live widgets; it ran because the command asked for this file, and no other runs", async () => {
    const code = [
      "const lr = slider(0, 10, { label: 'rate', value: 4 }); lr",
      "await live(() => 'twice is ' + 2 * lr.value, lr)",
    ];
    const files = { "app.ipynb": notebook(...code), "other.ipynb": notebook(...code) };
    const { open } = await desk(files, false, { appFile: "app.ipynb" });
    const tab = await open("app.ipynb");
    const output = () => tab.page.locator(".jp-OutputArea").nth(1).textContent();
    await eventually(output).toContain("twice is 8");
    await tab.cell(0).frameLocator("iframe").locator("input").fill("700");
    await eventually(output).toContain("twice is 14");
    expect(await tab.page.locator(".cm-content:visible").count()).toBe(0);
    expect(
      await tab.page.locator(".jp-NotebookPanel-toolbar:visible, #jp-menu-panel:visible, .jp-SideBar:visible").count(),
    ).toBe(0);
    if (process.env.PICTURES)
      for (const width of [1280, 700]) {
        await tab.page.setViewportSize({ width, height: 700 });
        await tab.picture(`app-${width}`);
      }
    const other = await open("other.ipynb");
    await other.page.waitForTimeout(1500);
    expect(await other.cell(0).locator(".jp-InputPrompt").textContent()).toContain("[ ]");
    expect(await other.page.locator(".cm-content:visible").count()).toBeGreaterThan(0);
  });

  it("says in the status bar where it computes, how far a run is, and what memory its process holds", async () => {
    const say =
      "globalThis[Symbol.for('Jupyter.status')]({ device: 'cpu', progress: { share: 0.4, text: 'replay: step 4' } })";
    const { open } = await desk({ "s.ipynb": notebook(say) }, false);
    const tab = await open("s.ipynb");
    await tab.run(0);
    const status = tab.page.locator(".thalweg-status");
    await eventually(() => status.textContent()).toMatch(/^40 % · cpu · \d+ MB$/);
    expect(await status.getAttribute("title")).toBe("replay: step 4");
    await tab.picture("status");
  });

  it("as slides goes on by keys, also by fragments, and knows its place after a reload", async () => {
    const slides = {
      nbformat: 4,
      metadata: {},
      cells: [
        { ...text("# First"), metadata: { slideshow: { slide_type: "slide" } } },
        { ...text("later"), id: "later", metadata: { slideshow: { slide_type: "fragment" } } },
        { ...text("# Second"), metadata: { slideshow: { slide_type: "slide" } } },
      ],
    };
    const { context, root } = await desk({}, false);
    const file = join(root, "slides.html");
    writeFileSync(file, notebookPage(notebookOf(slides), { title: "t", slides: true }));
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await page.goto(`file://${file}`);
    // biome-ignore lint/performance/useDomNodeTextContent: what is hidden does not count
    const seen = () => page.locator("main").innerText();
    await eventually(seen).toMatch(/First[\s\S]*1 \/ 2/);
    expect(await page.getByText("later").isVisible()).toBe(false);
    await page.keyboard.press("ArrowRight");
    expect(await page.getByText("later").isVisible()).toBe(true);
    await page.keyboard.press("ArrowRight");
    await eventually(seen).toMatch(/Second[\s\S]*2 \/ 2/);
    await page.reload();
    await eventually(seen).toMatch(/Second[\s\S]*2 \/ 2/);
    if (process.env.PICTURES)
      for (const [width, colorScheme] of [
        [1280, "light"],
        [700, "dark"],
      ] as const) {
        await page.setViewportSize({ width, height: 700 });
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: join(pictures, `slides-${width}-${colorScheme}.png`) });
      }
    expect(complaints).toEqual([]);
  });
});
