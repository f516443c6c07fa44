/** A browser as a person has it: headless Chromium, where there is one and the page was built. */
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { ownLibrary } from "../../kernel/preload.ts";
import { findApp } from "../../kernel/server/app.ts";
import { type NotebookServer, startServer } from "../../kernel/server/server.ts";
import { temporary } from "./support.ts";

const executablePath = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
].find((path) => path !== "" && existsSync(path));
const app = findApp();

/** Why the page cannot be driven here, or nothing. */
export const missing = !executablePath
  ? "no Chromium was found; install it or say where it is with CHROMIUM"
  : app
    ? ""
    : "the page was not built; `npx thalweg notebook` builds it";

export const repository = new URL("../..", import.meta.url).pathname;
/** Where the pictures go that a person looks at. */
export const pictures = join(repository, "out", "notebook-page");

let browser: Promise<Browser> | undefined;
export const closeBrowser = async () => (await browser)?.close();

export interface Desk {
  root: string;
  server: NotebookServer;
  context: BrowserContext;
  /** Opens a notebook in a tab of its own. */
  open(file: string): Promise<Tab>;
}
export interface Tab {
  page: Page;
  /** What the page complained of. */
  complaints: string[];
  cell(index: number): ReturnType<Page["locator"]>;
  /** Runs a cell and waits for its number. */
  run(index: number): Promise<void>;
  settled(index: number): Promise<void>;
  menu(name: string, item: string): Promise<void>;
  picture(name: string): Promise<void>;
}

export async function desk(notebooks: Record<string, unknown>, preload = true): Promise<Desk> {
  mkdirSync(pictures, { recursive: true });
  const root = temporary();
  for (const [name, content] of Object.entries(notebooks)) {
    if (content === undefined) cpSync(join(repository, "notebooks", name), join(root, name));
    else writeFileSync(join(root, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  const library = preload ? { preload: ownLibrary() } : {};
  const server = await startServer({ root, app: app!, config: temporary(), ...library });
  onTestFinished(() => server.close());
  browser ??= chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
  const context = await (await browser).newContext({ viewport: { width: 1300, height: 900 } });
  onTestFinished(() => context.close());
  return { root, server, context, open: (file) => open(context, server, file) };
}

async function open(context: BrowserContext, server: NotebookServer, file: string): Promise<Tab> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(server.url(file));
  await page.waitForSelector("body[data-ready]", { state: "attached" });
  // A cell that is run before the kernel is there is not run.
  await page.waitForSelector(".jp-Notebook-ExecutionIndicator[data-status='idle'], .jp-Dialog");
  const cell = (index: number) => page.locator(".jp-Notebook .jp-Cell").nth(index);
  const settled = async (index: number) => {
    const prompt = cell(index).locator(".jp-InputPrompt");
    await expect.poll(() => prompt.textContent(), { timeout: 60_000 }).toMatch(/\[\d+\]/);
  };
  return {
    page,
    complaints,
    cell,
    settled,
    async run(index) {
      await cell(index).locator(".cm-content").click();
      await page.keyboard.press("Control+Enter");
      await settled(index);
    },
    async menu(name, item) {
      await page.click(`.lm-MenuBar-item:has-text("${name}")`);
      await page.click(`.lm-Menu-item:has-text("${item}") >> nth=0`);
    },
    async picture(name) {
      await page.screenshot({ path: join(pictures, `${name}.png`) });
    },
  };
}

/** A notebook of code cells. */
export const notebook = (...sources: (string | { source: string; outputs: unknown[] })[]) => ({
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { kernelspec: { name: "thalweg", display_name: "TypeScript (Thalweg)", language: "typescript" } },
  cells: sources.map((given, i) => ({
    cell_type: "code",
    id: `c${i}`,
    metadata: {},
    execution_count: null,
    ...(typeof given === "string" ? { source: given, outputs: [] } : given),
  })),
});
