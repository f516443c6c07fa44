import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { closeBrowser, desk, eventually, missing, notebook } from "./browser.ts";

afterAll(closeBrowser);

const sourceOf = (file: string, cell: number): string =>
  JSON.parse(readFileSync(file, "utf8")).cells[cell].source.join("");

describe.skipIf(missing !== "")(
  `the page in a browser${missing === "" ? "" : ` (skipped: ${missing})`}`,
  { timeout: 600_000 },
  () => {
    test("the first notebook runs from end to end, a figure moves while it trains, and says its numbers under the mouse", async () => {
      const { open, root } = await desk({ "00-start.ipynb": undefined });
      const { page, menu, picture, cell } = await open("00-start.ipynb");
      expect(page.url()).not.toContain("token");
      const study = 4;
      await menu("Run", "Run All Cells");
      await cell(study).scrollIntoViewIfNeeded();
      const live = cell(study).locator(".thalweg-figure").first();
      await live.locator(".main-svg").first().waitFor();
      const seen = new Set<string>();
      await eventually(async () => {
        const lines = await live
          .locator("path.js-line")
          .evaluateAll((paths) => paths.map((path) => path.getAttribute("d")));
        return seen.add(lines.join()).size;
      }).toBeGreaterThanOrEqual(3);
      await picture("training");

      const prompts = page.locator(".jp-CodeCell .jp-InputPrompt");
      const waiting = async () => (await prompts.allTextContents()).filter((text) => !/\[\d+\]/.test(text)).length;
      await eventually(waiting).toBe(0);
      expect(await page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count()).toBe(
        0,
      );
      const plot = page.locator(".thalweg-figure .nsewdrag").first();
      await plot.scrollIntoViewIfNeeded();
      await eventually(async () => {
        const box = (await plot.boundingBox())!;
        for (let x = 0.3; x < 0.7; x += 0.05) await page.mouse.move(box.x + box.width * x, box.y + box.height / 2);
        return page.locator(".hoverlayer .hovertext").count();
      }).toBeGreaterThan(0);
      await picture("hover");

      await page.keyboard.press("Control+s");
      await eventually(
        () => JSON.parse(readFileSync(join(root, "00-start.ipynb"), "utf8")).cells[study].outputs.length,
      ).toBeGreaterThan(0);
      await page.reload();
      await page.waitForSelector(".jp-Notebook .thalweg-figure .main-svg");
      await picture("reloaded");
    });

    test("names of the library are completed and explained, a training run is interrupted, a restart forgets", async () => {
      const training =
        "await classes(data).split(5).learn(mlp({ hidden: [100] })).with(sgd({ lr: 0.1 })).train({ batch: 1, epochs: 100000 }).by(naive()).run({ seeds: 1 })";
      const { open } = await desk({
        "n.ipynb": notebook("const data = digits()", "classes(data).spl", training, "typeof data"),
      });
      const { page, cell, start, run, settled, picture, menu } = await open("n.ipynb");
      await run(0);
      await cell(1).locator(".cm-content").click();
      await page.keyboard.press("End");
      // The page gives up a completion that takes long, as the first may on a busy machine; a person presses again.
      const offered = page.locator(".jp-Completer-match", { hasText: /^split$/ });
      await eventually(async () => {
        await page.keyboard.press("Tab");
        return offered.waitFor({ timeout: 20_000 }).then(
          () => true,
          () => false,
        );
      }).toBe(true);
      await picture("completion");
      await page.keyboard.press("Enter");
      expect(await cell(1).locator(".cm-content").textContent()).toBe("classes(data).split");

      await cell(0).locator(".cm-content").click();
      await page.keyboard.press("End");
      for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("Shift+Tab");
      await page.waitForSelector(".jp-Tooltip:has-text('handwritten digits')");
      await picture("tooltip");
      await page.keyboard.press("Escape");

      await start(2);
      await cell(2).locator(".jp-OutputArea-output:visible").first().waitFor();
      await page.click('[data-jp-item-name="interrupt"]');
      await settled(2);
      await run(3);
      expect(await cell(3).locator(".jp-OutputArea").textContent()).toContain("'object'");

      await menu("Kernel", "Restart Kernel…");
      await page.click(".jp-Dialog .jp-mod-accept");
      // At once: it waits for the new process.
      await start(3);
      await eventually(() => cell(3).locator(".jp-OutputArea").textContent()).toContain("'undefined'");
    });

    test("what is typed is saved, and is there after a reload; what was asked on stdin is answered", async () => {
      const { open, root } = await desk({ "n.ipynb": notebook("const name = prompt('who?'); name") }, false);
      const { page, cell, start, settled } = await open("n.ipynb");
      await start(0);
      await page.fill(".jp-Stdin-input", "Ada");
      await page.keyboard.press("Enter");
      await settled(0);
      expect(await cell(0).locator(".jp-OutputArea").textContent()).toContain("'Ada'");
      await cell(0).locator(".cm-content").click();
      await page.keyboard.press("Control+End");
      await page.keyboard.type(" // edited");
      await page.keyboard.press("Control+s");
      await eventually(() => sourceOf(join(root, "n.ipynb"), 0)).toContain("// edited");
      await page.reload();
      await page.waitForSelector(".jp-Notebook .jp-Cell");
      await eventually(() => cell(0).locator(".cm-content").textContent()).toContain("// edited");
      await eventually(() => cell(0).locator(".jp-OutputArea").textContent()).toContain("'Ada'");
    });

    test("two tabs on one notebook: the second that saves is asked first", async () => {
      const { open, root } = await desk({ "n.ipynb": notebook("1") }, false);
      const [one, two] = [await open("n.ipynb"), await open("n.ipynb")];
      for (const [tab, text] of [
        [one, " // one"],
        [two, " // two"],
      ] as const) {
        await tab.page.bringToFront();
        await tab.cell(0).locator(".cm-content").click();
        await tab.page.keyboard.press("Control+End");
        await tab.page.keyboard.type(text);
        await tab.page.keyboard.press("Control+s");
        if (tab === one) await eventually(() => sourceOf(join(root, "n.ipynb"), 0)).toBe("1 // one");
      }
      await two.page.waitForSelector(".jp-Dialog");
      await two.picture("two-tabs");
      expect(await two.page.locator(".jp-Dialog").textContent()).toMatch(/changed|newer/i);
      expect(sourceOf(join(root, "n.ipynb"), 0)).toBe("1 // one");
      expect(await two.cell(0).locator(".cm-content").textContent()).toBe("1 // two");
    });

    test("each tab has its own layout, which a reload keeps", async () => {
      const { open } = await desk({ "a.ipynb": notebook("1"), "b.ipynb": notebook("2") }, false);
      const [one, two] = [await open("a.ipynb"), await open("b.ipynb")];
      const tabs = ({ page }: typeof one) => page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel").allTextContents();
      for (const [tab, name] of [
        [two, "b.ipynb"],
        [one, "a.ipynb"],
      ] as const) {
        await eventually(() => tabs(tab)).toEqual([name]);
        await tab.page.reload();
        await tab.page.waitForSelector(".jp-Notebook .jp-Cell");
        await eventually(() => tabs(tab)).toEqual([name]);
      }
    });

    test("outputs run no script, neither those of a strange file nor those of one's own cells", async () => {
      const evil = [
        "<script>window.evil = 1</script>",
        "<img src=x onerror='window.evil = 2'>",
        "<svg onload='window.evil = 3'><script>window.evil = 4</script></svg>",
        "<iframe srcdoc='<script>parent.evil = 5</script>'></iframe>",
        "<details open ontoggle='window.evil = 6'><summary>x</summary></details>",
        "<script src='/files/evil.js'></script><link rel=stylesheet href='/files/evil.js'>",
        "<a id=link href='javascript:window.evil = 7'>click me</a><object data='data:text/html,<script>1</script>'></object>",
      ].join("");
      const outputs = [{ output_type: "display_data", data: { "text/html": evil, "text/plain": "" }, metadata: {} }];
      const markdown = { cell_type: "markdown", id: "m", metadata: {}, source: evil };
      const strange = notebook(
        { source: "1", outputs },
        `display.raw({ "text/html": ${JSON.stringify(evil)}, "text/plain": "" })`,
      );
      strange.cells.push(markdown as never);
      const { open } = await desk({ "n.ipynb": strange, "evil.js": "window.evil = 8" }, false);
      const { page, run, cell } = await open("n.ipynb");
      await run(1);
      await cell(1).locator(".jp-OutputArea-output").first().waitFor();
      for (const link of await page.locator("a:has-text('click me')").all())
        await link.click({ timeout: 2000 }).catch(() => {});
      // Whatever would run has run when this answer is here.
      await page.evaluate("new Promise((resolve) => requestIdleCallback(resolve, { timeout: 5000 }))");
      expect(await page.evaluate("window.evil")).toBeUndefined();
      // They were there to be run.
      expect(await page.locator(".jp-OutputArea-output:has-text('click me')").count()).toBe(2);
    });

    test("a connection that breaks while a cell runs comes back without a gap or a repetition", async () => {
      const counts = `
        import { existsSync } from "node:fs";
        let i = 0;
        while (!existsSync("enough")) {
          console.log("line " + i++);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        console.log("all " + i)`;
      const { open, context, root } = await desk({ "n.ipynb": notebook(counts) }, false);
      let cut = () => {};
      let opened = 0;
      await context.routeWebSocket(/\/channels/, (page) => {
        const server = page.connectToServer();
        opened++;
        cut = () => {
          void server.close({ code: 3001 });
          void page.close({ code: 3001 });
        };
      });
      const { page, cell, start, settled } = await open("n.ipynb");
      await start(0);
      await page.waitForSelector(".jp-OutputArea-output:has-text('line 10')");
      cut();
      await eventually(() => opened).toBe(2);
      writeFileSync(join(root, "enough"), "");
      await settled(0);
      await page.waitForSelector(".jp-OutputArea-output:has-text('all')");
      const text = await cell(0).locator(".jp-OutputArea-output").allTextContents();
      const lines = text.join("").trim().split("\n");
      const count = Number(/^all (\d+)$/.exec(lines.pop()!)?.[1]);
      expect(count).toBeGreaterThan(10);
      expect(lines).toEqual(Array.from({ length: count }, (_, i) => `line ${i}`));
    });

    test("a hundred thousand lines, and a notebook of 5 MB, keep the page alive", async () => {
      const large = { output_type: "stream", name: "stdout", text: "y".repeat(100_000) };
      const big = notebook(
        "for (let i = 0; i < 100000; i++) console.log('line ' + i)",
        ...Array.from({ length: 50 }, (_, i) => ({ source: `x${i}`, outputs: [large] })),
      );
      const { open, root } = await desk({ "big.ipynb": big }, false);
      const { page, run, cell } = await open("big.ipynb");
      await run(0);
      await page.waitForSelector(".jp-OutputArea-output:has-text('line 99999')");
      const started = Date.now();
      await cell(0).locator(".cm-content").click();
      await page.keyboard.press("Control+End");
      await page.keyboard.type(" // alive");
      expect(Date.now() - started).toBeLessThan(30_000);
      await page.keyboard.press("Control+s");
      await eventually(() => sourceOf(join(root, "big.ipynb"), 0)).toContain("// alive");
    });

    test("a notebook that is broken is told, is left as it is, and does not come back with the other tabs", async () => {
      const { open, server, root } = await desk({ "broken.ipynb": '{"cells": [', "n.ipynb": notebook("1") }, false);
      const workspace = async () => {
        const headers = { authorization: `token ${server.token}` };
        const answer = await fetch(`http://127.0.0.1:${server.port}/lab/api/workspaces`, { headers });
        return JSON.stringify(await answer.json());
      };
      const one = await open("n.ipynb");
      await eventually(workspace).toContain("notebook:n.ipynb");
      await one.page.close();
      const broken = await open("broken.ipynb");
      await broken.page.waitForSelector(".jp-Dialog:has-text('not a readable notebook')");
      await broken.picture("broken");
      expect(readFileSync(join(root, "broken.ipynb"), "utf8")).toBe('{"cells": [');
      // The page is left with the message on it, and its layout may name the broken tab.
      await broken.page.close();
      const again = await open("n.ipynb");
      await again.run(0);
      expect(await again.page.locator(".jp-Dialog").count()).toBe(0);
      expect(await again.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel").allTextContents()).toEqual([
        "n.ipynb",
      ]);
    });

    test("a server that was started again says how to go on, and what was typed stays", async () => {
      const { open, context } = await desk({ "n.ipynb": notebook("1") }, false);
      const { page, cell, run } = await open("n.ipynb");
      await run(0);
      await context.clearCookies();
      await cell(0).locator(".cm-content").click();
      await page.keyboard.type("2");
      await page.keyboard.press("Control+s");
      await page.waitForSelector(".jp-Dialog:has-text('Open the address that the terminal printed')");
      expect(await cell(0).locator(".cm-content").textContent()).toContain("2");
    });

    test("a cell that is run before the kernel is there waits for it", async () => {
      const { open, context } = await desk({ "n.ipynb": notebook("6 * 7") }, false);
      let letGo = () => {};
      const held = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      await context.route(/\/api\/sessions/, async (route) => {
        if (route.request().method() === "POST") await held;
        await route.continue();
      });
      const { cell, start, settled } = await open("n.ipynb");
      await start(0);
      await eventually(() => cell(0).locator(".jp-InputPrompt").textContent()).toBe("[*]:");
      letGo();
      await settled(0);
      expect(await cell(0).locator(".jp-OutputArea").textContent()).toContain("42");
    });
  },
);
