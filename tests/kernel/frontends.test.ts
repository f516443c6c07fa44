/**
 * JupyterLab 4 and Notebook 7, driven by clicking and typing in a headless Chromium. Skipped where they are not installed:
 *   python3 -m venv .venv && .venv/bin/pip install jupyterlab notebook && apt-get install chromium
 *   JUPYTER=.venv/bin/jupyter npx vitest run --config tests/vitest.config.ts tests/kernel/frontends
 * SCREENSHOTS=<folder> keeps pictures of what was seen.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run as install } from "../../kernel/commands/install.ts";
import { temporaryFolder } from "./support/kernel.ts";

const jupyter = process.env.JUPYTER ?? "jupyter";
const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const has = (subcommand: string, major: number) => {
  const { status, stdout } = spawnSync(jupyter, [subcommand, "--version"], { encoding: "utf8" });
  return status === 0 && Number.parseInt(stdout, 10) >= major && browserPath !== undefined;
};
const frontends = [
  { name: "JupyterLab 4", command: "lab", major: 4, path: "lab/workspaces/test/tree" },
  { name: "Notebook 7", command: "notebook", major: 7, path: "notebooks" },
];

const start = new URL("../../notebooks/00-start.ipynb", import.meta.url);
const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

for (const { name, command, major, path } of frontends) {
  describe.skipIf(!has(command, major))(`${name} (skipped where it or Chromium is not installed)`, () => {
    const folder = temporaryFolder();
    let server: ChildProcess;
    let browser: Browser;
    let page: Page;
    let base: string;

    beforeAll(async () => {
      await install(["--prefix", folder]);
      const metadata = {
        kernelspec: { name: "thalweg", display_name: "TypeScript (Thalweg)", language: "typescript" },
      };
      const empty = {
        nbformat: 4,
        nbformat_minor: 5,
        metadata,
        cells: [{ cell_type: "code", id: "a", metadata: {}, source: "", execution_count: null, outputs: [] }],
      };
      mkdirSync(join(folder, "work"));
      writeFileSync(join(folder, "work/empty.ipynb"), JSON.stringify(empty));
      if (existsSync(start)) copyFileSync(start, join(folder, "work/start.ipynb"));
      const port = await freePort();
      base = `http://127.0.0.1:${port}`;
      server = spawn(
        jupyter,
        [
          command,
          "--allow-root",
          "--no-browser",
          `--ServerApp.port=${port}`,
          "--ServerApp.ip=127.0.0.1",
          "--IdentityProvider.token=",
          "--ServerApp.password=",
          "--ServerApp.disable_check_xsrf=True",
        ],
        {
          cwd: join(folder, "work"),
          stdio: "ignore",
          env: {
            ...process.env,
            JUPYTER_PATH: join(folder, "share/jupyter"),
            JUPYTER_CONFIG_DIR: join(folder, "config"),
            JUPYTER_DATA_DIR: join(folder, "data"),
            JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
          },
        },
      );
      for (
        let i = 0;
        i < 120 &&
        !(await fetch(`${base}/api/kernelspecs`).then(
          (r) => r.ok,
          () => false,
        ));
        i++
      )
        await new Promise((r) => setTimeout(r, 250));
      browser = await chromium.launch({ executablePath: browserPath!, args: ["--no-sandbox"] });
      page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    }, 120_000);
    afterAll(async () => {
      await browser?.close();
      server?.kill("SIGTERM");
      await new Promise((r) => (server ? server.once("exit", r) : r(0)));
    });

    const shot = async (what: string) => {
      if (process.env.SCREENSHOTS)
        await page.screenshot({ path: join(process.env.SCREENSHOTS, `${command}-${what}.png`) });
    };
    const open = async (notebook: string) => {
      await page.goto(`${base}/${path}/${notebook}?reset`);
      await page.locator(".jp-Notebook .jp-CodeCell").first().waitFor({ timeout: 60_000 });
      await idle();
      // The frontend asks whether it may show news, over the notebook.
      await page
        .locator(".Toastify button", { hasText: /^No$/ })
        .click({ timeout: 3000 })
        .catch(() => {});
    };
    const idle = () =>
      page
        .locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        .first()
        .waitFor({ state: "attached", timeout: 150_000 });
    const busy = () =>
      page
        .locator('.jp-Notebook-ExecutionIndicator[data-status="busy"]')
        .first()
        .waitFor({ state: "attached", timeout: 30_000 });
    const cell = (n: number) => page.locator(".jp-Notebook .jp-CodeCell").nth(n);
    const type = async (n: number, code: string) => {
      await cell(n).locator(".cm-content").click();
      await page.keyboard.press("Control+A");
      await page.keyboard.insertText(code);
    };
    const run = async () => {
      await page.keyboard.press("Shift+Enter");
      await new Promise((r) => setTimeout(r, 300));
      await idle();
    };
    /** A command of the notebook, by the menu. */
    const menu = async (top: string, item: RegExp) => {
      await page.locator(".lm-MenuBar-itemLabel", { hasText: new RegExp(`^${top}$`) }).click();
      await page.locator(".lm-Menu-itemLabel", { hasText: item }).first().click();
    };

    it("runs a cell, completes a name, shows a function's documentation, and marks a type error", {
      timeout: 120_000,
    }, async () => {
      await open("empty.ipynb");
      await type(0, "/** Doubles a number. */\nfunction doubled(n: number): number { return 2 * n }\ndoubled(21)");
      await run();
      await expect
        .poll(() => cell(0).locator(".jp-OutputArea-executeResult").textContent(), { timeout: 20_000 })
        .toContain("42");
      await cell(1).locator(".cm-content").click();
      await page.keyboard.type("doub");
      // Frontends give up on a completion after a second; the types of the library take longer the first time.
      const completed = async () => {
        await page.keyboard.press("Tab");
        await page
          .locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item", { hasText: "doubled" })
          .first()
          .click({ timeout: 3000 })
          .catch(() => {});
        return cell(1).locator(".cm-content").textContent();
      };
      await expect.poll(completed, { timeout: 60_000, interval: 1000 }).toContain("doubled");
      await page.keyboard.press("Shift+Tab");
      await page.locator(".jp-Tooltip").waitFor({ timeout: 30_000 });
      await expect
        .poll(() => page.locator(".jp-Tooltip").textContent(), { timeout: 10_000 })
        .toContain("Doubles a number.");
      await shot("inspect");
      await page.keyboard.press("Escape");
      await type(1, "doubled('text')");
      await run();
      await expect.poll(() => cell(1).textContent(), { timeout: 20_000 }).toContain("TS2345");
    });

    it("interrupts a loop and keeps the state; restarts and loses it", { timeout: 120_000 }, async () => {
      await type(2, "let kept = 5; while (true) await null");
      await page.keyboard.press("Shift+Enter");
      await busy();
      await menu("Kernel", /^Interrupt Kernel/);
      await idle();
      await expect.poll(() => cell(2).textContent()).toContain("Interrupted");
      await type(3, "kept + 1");
      await run();
      await expect.poll(() => cell(3).textContent()).toContain("6");
      await shot("interrupted");
      await menu("Kernel", /^Restart Kernel…$/);
      await page.locator(".jp-Dialog button.jp-mod-accept, .jp-Dialog button.jp-mod-warn").first().click();
      await new Promise((r) => setTimeout(r, 1500));
      await idle();
      await type(3, "typeof kept");
      await run();
      await expect.poll(() => cell(3).textContent()).toContain("'undefined'");
    });

    // Needs anywidget beside the frontend: .venv/bin/pip install anywidget
    it("shows widgets, which move the value of a cell and are moved by it, with bytes and a table in tabs", {
      timeout: 120_000,
    }, async () => {
      await open("empty.ipynb");
      const code = `const lr = slider(0, 100, { label: 'rate' });
await tabs({ one: lr, rows: table([{ a: 1, b: 'x' }]) })`;
      await type(0, code);
      await run();
      const input = cell(0).locator(".thalweg-slider input[type=range]");
      await input.waitFor({ timeout: 30_000 });
      await input.fill("700");
      await type(1, "[lr.value, lr.value = 20]");
      await run();
      await expect.poll(() => cell(1).textContent()).toContain("[ 70, 20 ]");
      await expect.poll(() => cell(0).locator("output").textContent()).toBe("20");
      await cell(0).getByRole("tab", { name: "rows" }).click();
      await cell(0).locator("td", { hasText: "x" }).waitFor();
      await shot("widgets");
      await type(
        2,
        "widget({ state: { bytes: new Uint8Array([7, 8]) }, render: ({ model, el }) => { el.textContent = 'second byte ' + model.get('bytes').getUint8(1) } })",
      );
      await run();
      await expect.poll(() => cell(2).textContent(), { timeout: 20_000 }).toContain("second byte 8");
    });

    it.skipIf(!existsSync(start))(
      "runs all of 00-start: live, then interactive plots, one of them hovered",
      { timeout: 300_000 },
      async () => {
        await open("start.ipynb");
        await menu("Run", /^Run All Cells$/);
        await new Promise((r) => setTimeout(r, 2000));
        await shot("running");
        await idle();
        const cells = page.locator(".jp-Notebook .jp-CodeCell");
        expect(
          await page
            .locator(
              ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error'], .jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']",
            )
            .count(),
        ).toBe(0);
        await cells.last().scrollIntoViewIfNeeded();
        const plots = page.locator("[data-interactive] .plotly .plot-container, [data-interactive] .main-svg");
        const figure = page.locator("[data-interactive]").last();
        await figure.waitFor({ state: "attached", timeout: 60_000 });
        await figure.scrollIntoViewIfNeeded();
        expect(await plots.count()).toBeGreaterThan(0);
        const area = await figure.locator(".nsewdrag").first().boundingBox();
        let hovered = false;
        for (let x = 0.1; x < 0.95 && !hovered; x += 0.1) {
          for (let y = 0.1; y < 0.95 && !hovered; y += 0.1) {
            await page.mouse.move(area!.x + area!.width * x, area!.y + area!.height * y);
            await new Promise((r) => setTimeout(r, 60));
            hovered = (await figure.locator(".hovertext").count()) > 0;
          }
        }
        await shot("plots");
        expect(hovered).toBe(true);
      },
    );
  });
}
