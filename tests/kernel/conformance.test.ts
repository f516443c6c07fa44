import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { run as install } from "../../kernel/commands/install.ts";
import { temporaryFolder } from "./support/kernel.ts";

const candidates = [process.env.PYTHON, "python3", "/usr/bin/python3"].filter((python) => python !== undefined);
const python = candidates.find((p) => spawnSync(p, ["-c", "import jupyter_kernel_test, jupyter_client"]).status === 0);

describe("jupyter_kernel_test, Jupyter's own test of kernels", () => {
  it.skipIf(python === undefined)(
    "passes whole (skipped without Python's jupyter_kernel_test: apt-get install python3-jupyter-kernel-test)",
    { timeout: 180_000 },
    async () => {
      const prefix = temporaryFolder();
      await install(["--prefix", prefix, "--no-preload"]);
      const { status, stderr } = spawnSync(python!, [new URL("./conformance.py", import.meta.url).pathname], {
        encoding: "utf8",
        env: { ...process.env, JUPYTER_PATH: `${prefix}/share/jupyter`, KERNEL_NAME: "thalweg" },
      });
      expect(status, stderr).toBe(0);
      expect(stderr).toMatch(/Ran 1[2-9] tests/);
      expect(stderr).not.toMatch(/skipped/);
    },
  );

  it.skipIf(python === undefined || spawnSync(python, ["-c", "import nbconvert, nbclient"]).status !== 0)(
    "runs a notebook through nbconvert, flood and all (skipped without Python's nbconvert)",
    { timeout: 120_000 },
    async () => {
      const prefix = temporaryFolder();
      await install(["--prefix", prefix, "--no-preload"]);
      const cell = (source: string) => ({
        cell_type: "code",
        id: `c${Math.random().toString(36).slice(2, 8)}`,
        metadata: {},
        source,
        execution_count: null,
        outputs: [],
      });
      const book = {
        nbformat: 4,
        nbformat_minor: 5,
        metadata: { kernelspec: { name: "thalweg", display_name: "t", language: "typescript" } },
        cells: [cell("for (let i = 0; i < 3000; i++) console.log('line', i)"), cell("const x: number = 6; x * 7")],
      };
      const { status, stdout, stderr } = spawnSync(
        python!,
        ["-m", "nbconvert", "--to", "notebook", "--execute", "--stdin", "--stdout"],
        {
          encoding: "utf8",
          input: JSON.stringify(book),
          env: { ...process.env, JUPYTER_PATH: `${prefix}/share/jupyter` },
          maxBuffer: 1e8,
        },
      );
      expect(status, stderr).toBe(0);
      const run = JSON.parse(stdout) as {
        cells: { execution_count: number; outputs: { text?: string[]; data?: Record<string, string[]> }[] }[];
      };
      expect(
        run.cells[0]!.outputs.flatMap((o) => o.text ?? [])
          .join("")
          .trimEnd()
          .split("\n").length,
      ).toBe(3000);
      expect(run.cells[1]!.execution_count).toBe(2);
      expect(run.cells[1]!.outputs[0]!.data!["text/plain"]).toEqual(["42"]);
    },
  );
});
