/** From the address to a notebook that can be typed in: cold browser profile, this machine's Chromium, the page's own server. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { ownLibrary } from "../../kernel/preload.ts";
import { findApp } from "../../kernel/server/app.ts";
import { startServer } from "../../kernel/server/server.ts";
import { record } from "../support/reference.ts";

const repeats = 7;
const app = findApp();
if (!app) throw new Error("bench: the built page is required; run npm run build:notebook");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const rows: number[][] = [];
for (let i = 0; i < repeats; i++) {
  const root = mkdtempSync(join(tmpdir(), "thalweg-page-"));
  cpSync(new URL("../../notebooks/00-start.ipynb", import.meta.url), join(root, "00-start.ipynb"));
  const server = await startServer({ root, app, config: root, preload: ownLibrary() });
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const page = await (await browser.newContext({ viewport: { width: 1300, height: 900 } })).newPage();
  const began = performance.now();
  const since = (what: Promise<unknown>) => what.then(() => performance.now() - began);
  await page.goto(server.url("00-start.ipynb"), { waitUntil: "commit" });
  const usable = await since(page.waitForSelector(".jp-Notebook .jp-CodeCell .cm-content"));
  await page.locator(".jp-Notebook .jp-CodeCell .cm-content").first().click();
  await page.keyboard.press("Control+Enter");
  const ran = await since(page.waitForSelector(".jp-Notebook .jp-CodeCell .jp-InputPrompt:text('[1]:')"));
  rows.push([usable, ran]);
  await browser.close();
  await server.close();
  rmSync(root, { recursive: true, force: true });
}
const column = (j: number) => {
  const sorted = rows.map((row) => row[j]!).sort((a, b) => a - b);
  return { min: Math.round(sorted[0]!), median: Math.round(sorted[sorted.length >> 1]!) };
};
const figures = { unit: "ms", repeats, usable: column(0), firstCellRan: column(1) };
console.log(figures);
record("notebook page", figures);
process.exit(0);
