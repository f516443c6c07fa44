import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { run } from "../kernel/commands/run.ts";
import { reference } from "./support/reference.ts";

const root = new URL("..", import.meta.url).pathname;
const folder = join(root, "notebooks");
/** The notebook that is also a script. */
const first = "00-start.ipynb";
const out = mkdtempSync(join(tmpdir(), "thalweg-notebooks-"));
afterAll(() => rmSync(out, { recursive: true, force: true }));
// Records of their own, so that everything is trained here and now.
vi.stubEnv("THALWEG_RUNS", join(out, "runs"));

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

/** What `thalweg run` wrote. */
function written(name: string): Cell[] {
  const { cells } = JSON.parse(readFileSync(join(out, name), "utf8")) as { cells: Cell[] };
  const outputs = cells.flatMap((cell) => cell.outputs ?? []);
  expect(outputs.filter((output) => output.output_type === "error")).toEqual([]);
  const mistyped = /TS\d{4,5}/;
  expect(
    outputs.filter(({ text: printed, data }) => mistyped.test(text(printed) + text(data?.["text/plain"] as string))),
  ).toEqual([]);
  const page = readFileSync(join(out, name.replace(/ipynb$/, "html")), "utf8");
  expect(page).not.toMatch(/<script[^>]+src=|<link[^>]+href="http/);
  return cells;
}

describe("the notebooks", () => {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".ipynb"))
    .sort();

  // In one process, whose kernels share what TypeScript has read; the first one runs as a user runs it, below.
  test.each(files.filter((name) => name !== first))(
    "%s runs, shows pictures, and has no error",
    async (name) => {
      const silent = [
        vi.spyOn(console, "log").mockImplementation(() => {}),
        vi.spyOn(process.stdout, "write").mockImplementation(() => true),
      ];
      expect(await run([join(folder, name), "--html", "--out", out, "--timeout", "240"])).toBe(0);
      for (const one of silent) one.mockRestore();
      written(name);
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

test("the first program runs as a user runs it, and gives the same numbers as a notebook and as a script, bit for bit", () => {
  const seen =
    "\nconsole.log('seen ' + JSON.stringify(results.runs.map((r) => r.logs.map((l) => l.events.map((e) => ({ ...e, seconds: 0 }))))).length, JSON.stringify(results.frame().rows()))";
  const notebook = JSON.parse(readFileSync(join(folder, first), "utf8")) as { cells: object[] };
  notebook.cells.push({
    cell_type: "code",
    id: "seen",
    metadata: {},
    execution_count: null,
    outputs: [],
    source: seen,
  });
  writeFileSync(join(out, "seen.ipynb"), JSON.stringify(notebook));
  const asked = ["tsx", "kernel/cli.ts", "run", join(out, "seen.ipynb"), "--html", "--out", out];
  execFileSync("npx", asked, { cwd: root, stdio: "pipe", timeout: 240_000 });
  const fromNotebook = text(written("seen.ipynb").at(-1)!.outputs![0]!.text);
  const script = join(folder, "seen.out.ts");
  writeFileSync(script, readFileSync(join(folder, "start.ts"), "utf8") + seen);
  try {
    const printed = execFileSync("npx", ["tsx", script], {
      cwd: root,
      env: { ...process.env, THALWEG_RUNS: "off" },
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
