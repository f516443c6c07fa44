/** Every figure against plotly.js itself, in a browser where there is one: its schema accepts them and it draws them. */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Figure } from "../../lib/plots/figure.ts";

const executablePath = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== "" && existsSync(path));
const examples = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".example.ts"));

/** What plotly.js says of a figure. */
interface Verdict {
  readonly complaints: readonly string[];
  readonly drawn: number;
  readonly title: string;
}

describe.skipIf(executablePath === undefined)("plotly.js", () => {
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
    page = await browser.newPage();
    await page.setContent(`<!doctype html><div id="plot" style="width:560px"></div>`);
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve("plotly.js-cartesian-dist-min") });
  });
  afterAll(() => browser?.close());

  test.each(examples)("accepts and draws %s", async (name) => {
    const { default: make } = (await import(new URL(name, import.meta.url).pathname)) as { default: () => Figure };
    const figure = make();
    const verdict = (await page.evaluate(`(async () => {
      const { data, layout } = ${JSON.stringify(figure)};
      const errors = Plotly.validate(data, layout) ?? [];
      const plot = document.getElementById("plot");
      await Plotly.newPlot(plot, data, layout);
      const complaints = errors.filter(({ code }) => code !== "unused" && code !== "invisible").map(({ msg }) => msg);
      const drawn = plot.querySelectorAll("g.trace, g.trace.bars, .hm image, g.boxes").length;
      return { complaints, drawn, title: plot.querySelector(".gtitle")?.textContent ?? "" };
    })()`)) as Verdict;
    expect(verdict.complaints).toEqual([]);
    expect(verdict.drawn).toBeGreaterThan(0);
    expect(verdict.title).toContain(figure.layout.title!.text);
  });
});
