/** A page as a PDF, by the Chromium or Chrome that is there. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"];
const places = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
];

export function findBrowser(): string | undefined {
  const path = (process.env.PATH ?? "").split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return [process.env.CHROMIUM ?? "", ...path, ...places].find((file) => file !== "" && existsSync(file));
}

/** @throws when there is no browser, or it does not print. */
export async function printPdf(html: string, target: string, timeoutMs = 120_000): Promise<void> {
  const browser = findBrowser();
  if (browser === undefined)
    throw new Error("pdf: Chromium or Chrome is required, got none; install one, or say where it is with CHROMIUM");
  const folder = mkdtempSync(join(tmpdir(), "thalweg-pdf-"));
  try {
    const page = join(folder, "page.html");
    writeFileSync(page, html);
    // Chromium's own sandbox does not work for root; the page has no script that is not ours.
    const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const args = [
      ...[
        "--headless",
        ...root,
        "--disable-gpu",
        "--disable-dev-shm-usage",
        `--user-data-dir=${join(folder, "profile")}`,
      ],
      ...[
        "--no-pdf-header-footer",
        "--virtual-time-budget=8000",
        `--print-to-pdf=${resolve(target)}`,
        pathToFileURL(page).href,
      ],
    ];
    const child = spawn(browser, args, { stdio: ["ignore", "ignore", "pipe"], timeout: timeoutMs });
    let said = "";
    child.stderr.on("data", (chunk) => (said += String(chunk)));
    const code = await new Promise<number | null>((done) => {
      child.once("error", () => done(1));
      child.once("close", done);
    });
    if (code !== 0 || !existsSync(target))
      throw new Error(`pdf: ${browser} did not print:\n${said.trim().slice(-2000)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
