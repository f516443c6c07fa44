import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { reference } from "./support/reference.ts";

const root = new URL("..", import.meta.url).pathname;
const folder = join(root, "notebooks");
const out = mkdtempSync(join(tmpdir(), "thalweg-notebooks-"));
// Records of their own, so that everything is trained here and now.
const env = { ...process.env, THALWEG_RUNS: join(out, "runs") };
afterAll(() => rmSync(out, { recursive: true, force: true }));

interface Cell {
  readonly cell_type: string;
  readonly source: string | readonly string[];
  readonly outputs?: readonly {
    readonly output_type: string;
    readonly text?: string | readonly string[];
    readonly data?: Record<string, unknown>;
  }[];
}

const text = (source: string | readonly string[] | undefined): string =>
  typeof source === "string" ? source : (source ?? []).join("");

/** Runs a notebook as a user does, and gives its cells with their outputs. */
function run(file: string): Cell[] {
  execFileSync("npx", ["tsx", "kernel/cli.ts", "run", file, "--html", "--out", out], {
    cwd: root,
    env,
    stdio: "pipe",
    timeout: 240_000,
  });
  const name = file.split("/").at(-1)!;
  return (JSON.parse(readFileSync(join(out, name), "utf8")) as { cells: Cell[] }).cells;
}

describe("the notebooks", () => {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".ipynb"))
    .sort();

  test.each(files)(
    "%s runs, shows pictures, and has no error",
    (name) => {
      const cells = run(join(folder, name));
      const outputs = cells.flatMap((cell) => cell.outputs ?? []);
      expect(outputs.filter((output) => output.output_type === "error")).toEqual([]);
      expect(
        outputs.filter((output) =>
          /TS\d{4,5}/.test(text(output.text) + text(output.data?.["text/plain"] as string | undefined)),
        ),
      ).toEqual([]);
      const page = readFileSync(join(out, name.replace(/ipynb$/, "html")), "utf8");
      expect(page).not.toMatch(/<script[^>]+src=|<link[^>]+href="http/);
    },
    300_000,
  );

  test("are kept without outputs, so that a change of theirs can be read", () => {
    for (const name of files) {
      const { cells } = JSON.parse(readFileSync(join(folder, name), "utf8")) as { cells: Cell[] };
      for (const cell of cells) expect(cell.outputs ?? []).toEqual([]);
    }
  });
});

test("the first program gives the same numbers as a notebook and as a script, bit for bit", () => {
  const seen =
    "\nconsole.log('seen ' + JSON.stringify(results.runs.map((r) => r.logs.map((l) => l.events.map((e) => ({ ...e, seconds: 0 }))))).length, JSON.stringify(results.frame().rows()))";
  const notebook = JSON.parse(readFileSync(join(folder, "00-start.ipynb"), "utf8")) as { cells: object[] };
  notebook.cells.push({
    cell_type: "code",
    id: "seen",
    metadata: {},
    execution_count: null,
    outputs: [],
    source: seen,
  });
  writeFileSync(join(out, "seen.ipynb"), JSON.stringify(notebook));
  const fromNotebook = text(run(join(out, "seen.ipynb")).at(-1)!.outputs![0]!.text);
  const script = join(folder, "seen.out.ts");
  writeFileSync(script, readFileSync(join(folder, "start.ts"), "utf8") + seen);
  try {
    const printed = execFileSync("npx", ["tsx", script], {
      cwd: root,
      env: { ...env, THALWEG_RUNS: "off" },
      stdio: "pipe",
      timeout: 240_000,
    }).toString();
    const accuracies = [...printed.matchAll(/^(\w+) +\*?([\d.]+) ±/gm)].map(
      ([, name, mean]) => [name, Number(mean) / 100] as const,
    );
    const { figures } = reference().start as {
      figures: Record<string, { averageAccuracy: number; deviation: number }>;
    };
    expect(accuracies.map(([name]) => name)).toEqual(Object.keys(figures));
    for (const [name, mean] of accuracies) {
      const { averageAccuracy, deviation } = figures[name!]!;
      // Four standard errors of a mean of three seeds, and a point for another processor's arithmetic.
      expect(Math.abs(mean - averageAccuracy)).toBeLessThan((4 * deviation) / Math.sqrt(3) + 0.01);
    }
    expect(printed.slice(printed.indexOf("seen ")).trim()).toBe(
      fromNotebook.slice(fromNotebook.indexOf("seen ")).trim(),
    );
  } finally {
    rmSync(script);
  }
}, 300_000);
