/** A browser as a person has it: headless Chromium, where there is one and the page was built. */
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { ownLibrary } from "../../kernel/preload.ts";
import { findApp } from "../../kernel/server/app.ts";
import { type NotebookServer, type ServerOptions, startServer } from "../../kernel/server/server.ts";
import { temporary } from "./support.ts";

const executablePath = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
].find((path) => path !== "" && existsSync(path));
const app = findApp();

/** The longest wait for anything: a machine may be busy with other tests. What is waited for comes much sooner, or never. */
export const patienceMs = 150_000;

/** Why the page cannot be driven here, or nothing. */
export const missing = !executablePath
  ? "no Chromium was found; install it or say where it is with CHROMIUM"
  : app
    ? ""
    : "the page was not built; `npx thalweg notebook` builds it";

export const repository = new URL("../..", import.meta.url).pathname;
/** Where the pictures go that a person looks at. */
export const pictures = join(repository, "out", "notebook-page");

/** Expects what may take a while to come about. */
export const eventually = <T>(look: () => T) => expect.poll(look, { timeout: patienceMs, interval: 50 });

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
  /** Asks for a cell to be run. */
  start(index: number): Promise<void>;
  /** Runs a cell and waits for its number. */
  run(index: number): Promise<void>;
  /** Waits for the number of a cell that was started. */
  settled(index: number): Promise<void>;
  menu(name: string, item: string): Promise<void>;
  picture(name: string): Promise<void>;
}

export async function desk(
  notebooks: Record<string, unknown>,
  preload = true,
  options: Partial<ServerOptions> = {},
): Promise<Desk> {
  mkdirSync(pictures, { recursive: true });
  const root = temporary();
  for (const [name, content] of Object.entries(notebooks)) {
    if (content === undefined) cpSync(join(repository, "notebooks", name), join(root, name));
    else writeFileSync(join(root, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  const library = preload ? { preload: ownLibrary() } : { typeErrors: "off" as const };
  const server = await startServer({ root, app: app!, config: temporary(), ...library, ...options });
  onTestFinished(() => server.close());
  // Shared memory is small in containers; a page that finds it full crashes.
  const args = ["--no-sandbox", "--disable-dev-shm-usage"];
  browser ??= chromium.launch({ executablePath: executablePath!, args, timeout: patienceMs });
  // Cookies, storage and the layout of the page belong to this test alone: the context here, the rest in the server's folders.
  const context = await (await browser).newContext({ viewport: { width: 1300, height: 900 } });
  context.setDefaultTimeout(patienceMs);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === "fail")
      for (const [i, page] of context.pages().entries())
        await page.screenshot({ path: join(pictures, `failed-${i}.png`), timeout: 10_000 }).catch(() => {});
    await context.close();
  });
  return { root, server, context, open: (file) => open(context, server, file) };
}

/** The cells of the tab in front; others may stand behind it. */
const inFront = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell";

async function open(context: BrowserContext, server: NotebookServer, file: string): Promise<Tab> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(server.url(file));
  await page.waitForSelector("body[data-ready]", { state: "attached" });
  await page.waitForSelector(`${inFront}, .jp-Dialog`);
  const cell = (index: number) => page.locator(inFront).nth(index);
  const settled = async (index: number) => {
    const prompt = cell(index).locator(".jp-InputPrompt");
    await eventually(() => prompt.textContent()).toMatch(/\[\d+\]/);
  };
  const start = async (index: number) => {
    await cell(index).locator(".cm-content").click();
    await page.keyboard.press("Control+Enter");
  };
  return {
    page,
    complaints,
    cell,
    settled,
    start,
    async run(index) {
      await start(index);
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
