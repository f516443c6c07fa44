import { afterAll, describe, expect, it } from "vitest";
import { closeBrowser, desk, eventually, missing, notebook } from "./browser.ts";

describe.skipIf(missing !== "")(`the debugger in the page${missing ? ` (skipped: ${missing})` : ""}`, () => {
  afterAll(closeBrowser);

  it("stops where a person clicked beside a line, shows the variables and the stack, steps, and goes on", async () => {
    const code =
      "const tensor = { shape: [2, 3], dtype: 'float32', dataSync: () => new Float32Array(6) }\nlet sum = 0\nfor (const n of [10, 20]) {\n  sum += n\n}\nsum";
    const { open } = await desk({ "d.ipynb": notebook(code, "'after'") }, false);
    const tab = await open("d.ipynb");
    await tab.run(1);
    await tab.page.locator(".jp-DebuggerBugButton").first().click();
    await tab.page.locator(".jp-DebuggerSidebar").waitFor();
    const gutter = tab.cell(0).locator(".cm-breakpoint-gutter .cm-gutterElement");
    await gutter.nth(4).click({ force: true });
    await tab.cell(0).locator(".cm-breakpoint-icon").first().waitFor({ state: "attached" });
    await tab.start(0);
    const line = tab.cell(0).locator(".jp-DebuggerEditor-highlight");
    await eventually(() => line.textContent()).toContain("sum += n");
    const variables = tab.page.locator(".jp-DebuggerVariables");
    await eventually(() => variables.textContent()).toMatch(/n:?\s*10/);
    await tab.picture("debugger");
    await tab.page.keyboard.press("F10");
    await eventually(() => line.textContent()).toContain("for (const n");
    await tab.page.keyboard.press("F9");
    await eventually(() => variables.textContent()).toMatch(/n:?\s*20/);
    await tab.page.keyboard.press("F9");
    await eventually(() => tab.cell(0).locator(".jp-OutputArea").textContent()).toContain("30");
    await eventually(() => variables.textContent()).toContain("Tensor float32 [2, 3]");
    await tab.picture("debugger-variables");
    expect(tab.complaints).toEqual([]);
  });
});
