/** How each strategy is known to be right: a published number, relations between methods, another library, a test of its mechanism. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Conformed, reference } from "./reference.ts";

const root = new URL("../../", import.meta.url).pathname;
const tests = join(root, "tests/strategies");

/** Suites that see every member of a folder by its being there, and so prove no mechanism. */
const general = new Set(["contract.test.ts", "peers.test.ts", "layout.test.ts", "examples.test.ts"]);

/** The text of every test but the general ones, by its path from the root. */
const suites: ReadonlyMap<string, string> = new Map(
  readdirSync(join(root, "tests"), { recursive: true })
    .map((name) => `tests/${String(name)}`)
    .filter((name) => name.endsWith(".test.ts") && !general.has(basename(name)))
    .sort()
    .map((name) => [name, readFileSync(join(root, name), "utf8")]),
);

/**
 * The tests of the mechanism of a row of the systems catalogue: those that name the row, then those that name what implements it, in the
 * folder that mirrors its own before others, with most mentions first.
 */
export function mechanismTests(id: string, file: string, member: string): string[] {
  const mirrored = `tests/${file.split("/")[1]}/`;
  const count = (text: string, word: string): number => [...text.matchAll(new RegExp(`\\b${word}\\b`, "g"))].length;
  return [...suites]
    .map(([name, text]) => {
      const calls = count(text, member);
      return { name, score: 1e6 * count(text, id) + (calls > 0 && name.startsWith(mirrored) ? 1e3 : 0) + calls };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ name }) => name);
}

/** Methods that give the same numbers as in another library, by that library. */
function peers(): Record<string, Set<string>> {
  const keys = (file: string, part: string): Set<string> => {
    const path = join(tests, "peers", file);
    if (!existsSync(path)) return new Set();
    const all = (JSON.parse(readFileSync(path, "utf8")) as Record<string, object>)[part] ?? {};
    return new Set(Object.keys(all).map((name) => name.split(",")[0]!));
  };
  return {
    Avalanche: keys("avalanche.json", "end"),
    "scikit-learn": keys("scikit-learn.json", "methods"),
    "PyTorch by hand": keys("torch.json", "end"),
  };
}

/** A function that says in a few words how a strategy is known to be right; empty where only the contract suite has seen it. */
export function proofs(): (strategy: string) => string {
  const recorded = Object.values((reference().conformance ?? {}) as Record<string, Conformed>);
  const others = Object.entries(peers());
  const texts = readdirSync(tests)
    .filter((name) => name.endsWith(".test.ts") && !["contract.test.ts", "peers.test.ts"].includes(name))
    .map((name) => readFileSync(join(tests, name), "utf8"));
  return (strategy) => {
    const cells = recorded
      .flatMap(({ cells }) => Object.values(cells))
      .filter((cell) => cell.strategies.includes(strategy));
    // One seed proves little.
    const banded = cells.filter(({ band, values }) => band !== null && values.length > 1);
    const inBand = banded.filter(({ verdict }) => verdict === "in band").length;
    const relations = recorded.flatMap((of) => of.relations).filter((of) => of.strategies.includes(strategy));
    const met = relations.filter((relation) => relation.met).length;
    const same = others.filter(([, names]) => names.has(strategy)).map(([library]) => library);
    const tested = texts.some((text) => new RegExp(`\\b${strategy}\\(`).test(text));
    return [
      banded.length > 0 && `published number met (${inBand} of ${banded.length})`,
      same.length > 0 && `same numbers as ${same.join(" and ")}`,
      relations.length > 0 && `relation met (${met} of ${relations.length})`,
      tested && "mechanism tested",
    ]
      .filter(Boolean)
      .join("; ");
  };
}
