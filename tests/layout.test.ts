import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { stale } from "./support/barrels.ts";
import { catalogueIsTrue } from "./support/catalogue.ts";
import { rooms, sentenceOf } from "./support/folders.ts";
import { camel, filesOf } from "./support/members.ts";
import { implemented, marksIn, systems } from "./support/systems.ts";

const root = new URL("..", import.meta.url).pathname;
const order = [
  "engine",
  "data",
  "streams",
  "models",
  "optim",
  "families",
  "strategies",
  "train",
  "metrics",
  "plots",
  "simulate",
  "runs",
  "sweeps",
  "dsl",
];

/** Families of verbs over networks stand in one place of the order, and know nothing of each other. */
const families = ["distil", "edit", "expand", "merge", "prune", "quantise"];
const placeOf = (folder: string): number => order.indexOf(families.includes(folder) ? "families" : folder);

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((name) => name.endsWith(".ts") && statSync(join(root, name)).isFile());
}

/** The files of ours that a text imports, relative to the root. */
function imports(file: string, text: string): string[] {
  return [
    ...text.matchAll(/^(?:import|export)\b[^;]*?from "(\.[^"]+)"/gm),
    ...text.matchAll(/\bimport\("(\.[^"]+)"\)/g),
  ].map((found) => relative(root, resolve(root, dirname(file), found[1]!)));
}

/** What is wrong with the imports of a file, in sentences. */
function wrongImports(file: string, text: string): string[] {
  const [top, folder] = file.split("/") as [string, string];
  return imports(file, text).flatMap((target) => {
    const [otherTop, otherFolder] = target.split("/") as [string, string];
    if (top === "tests") return [];
    if (otherTop !== top) return [`${file} imports ${target}, which is in another part`];
    if (top === "kernel") return [];
    if (placeOf(folder) < 0 || folder === otherFolder) return [];
    if (families.includes(folder) && families.includes(otherFolder))
      return [`${file} imports ${target}, which is of another family`];
    if (placeOf(otherFolder) > placeOf(folder)) return [`${file} imports ${target}, which is to its right`];
    return [];
  });
}

describe("the layout", () => {
  const library = sources("lib");
  const kernel = sources("kernel").filter((name) => !name.includes("node_modules"));

  test("imports go one way only, and kernel and library know nothing of each other", () => {
    expect(
      [...library, ...kernel].flatMap((file) => wrongImports(file, readFileSync(join(root, file), "utf8"))),
    ).toEqual([]);
  });

  test("an import that goes the wrong way is found", () => {
    expect(wrongImports("lib/streams/x.ts", 'import { fit } from "../train/fit.ts";')).toHaveLength(1);
    expect(wrongImports("lib/data/x.ts", 'import {\n  a,\n} from "../dsl/study.ts";')).toHaveLength(1);
    expect(wrongImports("kernel/x.ts", 'import { a } from "../lib/index.ts";')).toHaveLength(1);
    expect(wrongImports("lib/train/x.ts", 'import { a } from "../models/model.ts";')).toHaveLength(0);
    expect(wrongImports("lib/merge/x.ts", 'import { a } from "../strategies/strategy.ts";')).toHaveLength(1);
    expect(wrongImports("lib/merge/x.ts", 'import { a } from "../edit/rome.ts";')).toHaveLength(1);
    expect(wrongImports("lib/strategies/x.ts", 'import { a } from "../merge/opcm.ts";')).toHaveLength(0);
  });

  test("strategies do not import one another", () => {
    const methods = filesOf("strategies", ["strategy.ts"]).map((file) => `lib/strategies/${file}`);
    const among = methods.flatMap((file) =>
      imports(file, readFileSync(join(root, file), "utf8"))
        .filter((target) => methods.includes(target))
        .map((target) => `${file} imports ${target}`),
    );
    expect(among).toEqual([]);
  });

  test.each(Object.entries(rooms))("each file of lib/%s is in one of its rooms", (folder, allowed) => {
    const files = filesOf(folder, ["strategy.ts"]);
    expect(files.filter((file) => file.split("/").length !== 2 || !(dirname(file) in allowed))).toEqual([]);
    expect(new Set(files.map(camel)).size, "names are flat: no two rooms have the same").toBe(files.length);
  });

  test("lines that say which published system a file implements name a row as it is called, and a test knows it", () => {
    expect(implemented().wrong).toEqual([]);
    expect(new Set(systems.map(({ id }) => id)).size).toBe(459);
  });

  test("a line that names no row, or another than it says, is found", () => {
    const found = (line: string) => marksIn("lib/x.ts", `/**\n * X.\n *\n * ${line}\n */\nexport const y = 1;\n`);
    const marked = [{ id: "P130", file: "lib/x.ts", line: 4, member: "y" }];
    expect(found("Implements: P130 SoftNet").marks).toEqual(marked);
    expect(found("Implements: P130 WSN / SoftNet (Kang et al. 2022), section 3").marks).toEqual(marked);
    expect(found("Implements: P999 WSN").wrong).toHaveLength(1);
    expect(found("Implements: P130 WSNs").wrong).toHaveLength(1);
    expect(found("Implements: P130 EWC").wrong).toHaveLength(1);
    expect(found("Implements: WSN").wrong).toHaveLength(1);
    expect(found("Implements: P130 WSN, P071 EWC").wrong).toHaveLength(1);
    expect(marksIn("lib/x.ts", "// Implements: P130 WSN\nexport const x = 1;\n").wrong).toHaveLength(1);
  });

  test("no file has more than 400 lines", () => {
    const files = [...library, ...kernel, ...sources("tests")].filter((file) => !file.includes("/output/"));
    const long = files.filter((file) => readFileSync(join(root, file), "utf8").split("\n").length > 401);
    expect(long).toEqual([]);
  });

  test("generated files are what npm run gen writes", () => {
    expect(stale().map(({ file }) => relative(root, file))).toEqual([]);
    expect(catalogueIsTrue()).toBe(true);
  });

  test("the index of every folder opens with a sentence that says what lives there, which its contract says too", () => {
    const indexes = library.filter((file) => file.endsWith("/index.ts"));
    const silent = indexes.filter(
      (file) => !/^\/\*\* [A-Z][\s\S]*?[.:][\s\S]*?\*\//.test(readFileSync(join(root, file), "utf8")),
    );
    expect(silent).toEqual([]);
    expect(readFileSync(join(root, "lib/strategies/strategy.ts"), "utf8")).toContain(
      `/** ${sentenceOf("strategies")} */`,
    );
    expect(() => sentenceOf("strategies/parts")).toThrow("a sentence that says what lives there is required");
  });

  test("the lock file has the packages of every platform, so that npm ci works on each, and names no registry", () => {
    const text = readFileSync(join(root, "package-lock.json"), "utf8");
    const { packages } = JSON.parse(text) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const locked = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, "")));
    const wanted = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
    expect(wanted.filter((name) => !locked.has(name))).toEqual([]);
    expect(text).not.toContain('"resolved"');
  });

  test("the top has only what it should have", () => {
    const allowed = new Set(
      "kernel lib notebooks tests .ci .git .gitignore .npmrc node_modules package.json package-lock.json tsconfig.json tsconfig.build.json biome.json README.md CONTRIBUTING.md CATALOGUE.md CHANGELOG.md LICENSE out runs dist coverage".split(
        " ",
      ),
    );
    expect(readdirSync(root).filter((name) => !allowed.has(name) && !name.startsWith(".ven"))).toEqual([]);
  });
});
