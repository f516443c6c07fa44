import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { closeBrowser, desk, eventually, missing, notebook } from "./browser.ts";

afterAll(closeBrowser);

/** What a stranger's notebook may hold that would press a command, take a name of the page's own, or run. */
const markup = `
<button id="jupyter-config-data" name="baseUrl" data-commandlinker-command="notebook:run-all-cells" data-commandlinker-args="{}">press</button>
<a href="#" data-commandlinker-command="notebook:run-all-cells">press too</a>
<form id="body" name="cookie"><input name="getElementById"></form>
<img src="x" onerror="window.pwned = 1"><svg onload="window.pwned = 2"><script>window.pwned = 3</script></svg>
<a href="javascript:window.pwned=4">follow</a><iframe srcdoc="<script>parent.pwned=5</script>"></iframe>
<style>body { display: none }</style>`;

describe.skipIf(missing !== "")(
  `a stranger's notebook in a browser${missing === "" ? "" : ` (skipped: ${missing})`}`,
  { timeout: 600_000 },
  () => {
    test("its markup runs nothing, presses no command, and takes no name of the page's, in outputs and in text", async () => {
      const outputs = ["text/html", "text/markdown", "image/svg+xml"].map((type) => ({
        output_type: "display_data",
        data: { [type]: type === "image/svg+xml" ? `<svg xmlns="http://www.w3.org/2000/svg">${markup}</svg>` : markup },
        metadata: {},
      }));
      const book = notebook({ source: "globalThis.ran = 1", outputs });
      const text = { cell_type: "markdown", id: "text", metadata: {}, source: `# A title\n\n${markup}` };
      const cells = [...book.cells, text];
      const { open, root, server } = await desk({ "strange.ipynb": { ...book, cells } }, false);
      const { page, cell } = await open("strange.ipynb");
      await cell(0).locator(".jp-OutputArea-output").nth(1).waitFor(); // the drawing is not shown at all
      await cell(1).locator("h1").waitFor();
      expect(await page.locator(".jp-Cell [data-commandlinker-command]").count()).toBe(0);
      expect(
        await page
          .locator(".jp-Cell :is(#jupyter-config-data, #body, [name=baseUrl], [name=cookie], [name=getElementById])")
          .count(),
      ).toBe(0);
      expect(await page.locator(".jp-Cell iframe[srcdoc], .jp-Cell [onerror], .jp-Cell [onload]").count()).toBe(0);
      for (const words of ["press", "press too", "follow"])
        for (const place of await cell(0).getByText(words, { exact: true }).all()) await place.click({ force: true });
      await page.waitForTimeout(1000);
      expect(await page.evaluate("window.pwned")).toBeUndefined();
      expect(await page.evaluate("getComputedStyle(document.body).display")).toBe("block");
      expect(await cell(0).locator(".jp-InputPrompt").textContent()).not.toMatch(/\d/);
      const saved = JSON.parse(readFileSync(join(root, "strange.ipynb"), "utf8"));
      expect(saved.cells[0].execution_count).toBe(null);
      expect(page.url()).not.toContain("token");

      // Whoever asks for it has it: the check above can fail.
      const setting = `http://127.0.0.1:${server.port}/lab/api/settings/@jupyterlab/apputils-extension:sanitizer`;
      const headers = { authorization: `token ${server.token}`, "content-type": "application/json" };
      const body = JSON.stringify({ raw: JSON.stringify({ allowCommandLinker: true }) });
      expect((await fetch(setting, { method: "PUT", headers, body })).status).toBe(204);
      const { page: again } = await open("strange.ipynb");
      await eventually(() => again.locator(".jp-Cell [data-commandlinker-command]").count()).toBeGreaterThan(0);
    });

    test("cells that are pasted bring no trust along", async () => {
      const strange = {
        output_type: "display_data",
        data: { "text/html": "<b data-x='1' onclick='1'>strange</b>" },
        metadata: {},
      };
      const book = notebook({ source: "1", outputs: [strange] });
      const cells = book.cells.map((cell) => ({ ...cell, metadata: { trusted: true } }));
      const { open, root, server } = await desk({ "strange.ipynb": { ...book, cells } }, false);
      const { page, cell } = await open("strange.ipynb");
      await cell(0).locator(".jp-OutputArea-output").first().waitFor();
      await cell(0).locator(".jp-InputPrompt").click();
      await page.keyboard.press("c");
      await page.keyboard.press("v");
      await eventually(() => page.locator(".jp-Notebook .jp-Cell").count()).toBe(2);
      await page.keyboard.press("Control+s");
      await eventually(() => JSON.parse(readFileSync(join(root, "strange.ipynb"), "utf8")).cells.length).toBe(2);
      const answer = await fetch(`http://127.0.0.1:${server.port}/api/contents/strange.ipynb`, {
        headers: { authorization: `token ${server.token}` },
      });
      const { content } = (await answer.json()) as { content: { cells: { metadata: { trusted?: boolean } }[] } };
      expect(content.cells.map(({ metadata }) => metadata.trusted)).toEqual([false, false]);
      expect(await page.locator(".jp-OutputArea-output [onclick]").count()).toBe(0);
    });
  },
);
