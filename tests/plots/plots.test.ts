/** Every file of lib/plots is a figure with a named example; this suite tests each without naming it. */
import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Figure } from "../../lib/plots/figure.ts";

const folder = new URL("../../lib/plots/", import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".ts") && name !== "index.ts" && name !== "figure.ts")
  .map((name) => name.slice(0, -3));

/** `accuracy-heatmap` exports `accuracyHeatmap`. */
const camel = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Ids are made of the content, so that they change with any number: renamed by their order. */
function settled(svg: string): string {
  const names = new Map<string, string>();
  return svg.replace(/tw[0-9a-z]{5,8}(?=[pc]\d)/g, (id) => names.get(id) ?? names.set(id, `f${names.size}`).get(id)!);
}

type Shown = Record<symbol, () => Record<string, unknown>>;

describe.each(files)("%s", (file) => {
  const example = new URL(`./${file}.example.ts`, import.meta.url);

  test("has an example", () => {
    expect(existsSync(example)).toBe(true);
  });

  test("exports a function named after its file", async () => {
    const exported = (await import(new URL(`${file}.ts`, folder).pathname)) as Record<string, unknown>;
    expect(typeof exported[camel(file)]).toBe("function");
  });

  test("draws its example as it was agreed", async () => {
    const { default: make } = (await import(example.pathname)) as { default: () => Figure };
    const drawn = make();
    await expect(`${settled(drawn.toSVG())}\n`).toMatchFileSnapshot(`output/${file}.svg`);
  });

  test("has a title, shows itself in every way, and is the same figure twice", async () => {
    const { default: make } = (await import(example.pathname)) as { default: () => Figure };
    const drawn = make();
    expect(drawn.layout.title?.text).toMatch(/\S/);
    const bundle = (drawn as unknown as Shown)[Symbol.for("Jupyter.display")]!();
    expect(JSON.parse(JSON.stringify(bundle["application/vnd.plotly.v1+json"]))).toMatchObject({ layout: {} });
    expect(bundle["image/svg+xml"]).toMatch(/^<svg [\s\S]*<\/svg>$/);
    expect(bundle["image/svg+xml"]).not.toMatch(/NaN|undefined|Infinity/);
    expect(String(bundle["text/plain"]).split("\n").length).toBeGreaterThan(2);
    expect(make().toSVG()).toBe(drawn.toSVG());
  });
});
