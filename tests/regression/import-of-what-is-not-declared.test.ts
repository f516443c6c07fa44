/** The library imported hyparquet, which only a clone had: in an empty project `import "thalweg"` would have failed. */
import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url).pathname;
const { dependencies, devDependencies, peerDependencies } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
);

/** Packages that a folder's modules import as they load, by file. */
function imported(folder: string): [file: string, name: string][] {
  const files = readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((name) => name.endsWith(".ts") && !/node_modules|notebook-app/.test(name));
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    return [...text.matchAll(/^(?:import|export)\b(?! type)[^;]*?from "([^".][^"]*)"|^import "([^".][^"]*)"/gm)]
      .map((found) => (found[1] ?? found[2])!)
      .filter((name) => !isBuiltin(name))
      .map((name): [string, string] => [file, /^(@[^/]+\/)?[^/]+/.exec(name)![0]]);
  });
}

test("what the kernel imports comes along", () => {
  expect(imported("kernel").filter(([, name]) => !(name in dependencies))).toEqual([]);
});

test("what the library imports comes along, or is in the bundle", () => {
  const apart = /const apart = \[(.*)\]/.exec(readFileSync(join(root, ".ci/build.mjs"), "utf8"))![1]!;
  const packages = imported("lib");
  expect(packages.map(([, name]) => name)).toContain("hyparquet");
  const wrong = packages.filter(([, name]) =>
    name.startsWith("@tensorflow/") || apart.includes(`"${name}"`)
      ? !(name in dependencies)
      : !(name in devDependencies || name in dependencies) || name in (peerDependencies ?? {}),
  );
  expect(wrong).toEqual([]);
});
