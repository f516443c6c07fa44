/** Markup in a notebook that nobody trusts could name a command of the page, which a click on it then ran. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findApp } from "../../kernel/server/app.ts";
import { settings } from "../../kernel/server/settings.ts";
import { temporary } from "../server/support.ts";

const id = "@jupyterlab/apputils-extension:sanitizer";
const app = findApp();

test("the page's setting says no, whatever JupyterLab's default is", () => {
  const folder = temporary();
  const schema = { properties: { allowCommandLinker: { type: "boolean", default: true } } };
  writeFileSync(join(folder, "schemas.json"), JSON.stringify([{ id, version: "1", schema }]));
  const { schema: told } = settings(join(folder, "schemas.json"), folder).get(id);
  expect(told.properties?.allowCommandLinker?.default).toBe(false);
});

test.skipIf(app === undefined)(
  "the page begins so, before its settings are read (skipped: the page is not built)",
  () => {
    const scripts = join(app!, "app");
    const text = readdirSync(scripts, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith(".js"))
      .map((name) => readFileSync(join(scripts, name), "utf8"))
      .join("\n");
    expect(text).toContain("_allowCommandLinker=!1");
    expect(text).not.toContain("_allowCommandLinker=!0");
    expect(existsSync(join(app!, "schemas.json"))).toBe(true);
    expect(
      settings(join(app!, "schemas.json"), temporary()).get(id).schema.properties?.allowCommandLinker?.default,
    ).toBe(false);
  },
);
