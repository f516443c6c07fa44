/** `thalweg lab`: JupyterLab with the kernel, from one command. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findJupyter } from "../jupyter.ts";
import { run as install } from "./install.ts";

export const usage = `thalweg lab [arguments of jupyter lab…]
  Starts JupyterLab with the kernel in it; nothing stays installed.`;

export async function run(argv: string[]): Promise<number> {
  const jupyter = findJupyter("lab", "notebook");
  if (!jupyter) {
    console.error(
      "JupyterLab was not found. Any of these gets it:\n  pipx install jupyterlab\n  python3 -m pip install --user jupyterlab\n  uv tool install jupyterlab\nThen run `npx thalweg lab` again. (`npx thalweg run` and `npx thalweg repl` work without it.)",
    );
    return 1;
  }
  // The kernelspec lives as long as the server: `install` is for those who want it to stay.
  const prefix = mkdtempSync(join(tmpdir(), "thalweg-lab-"));
  try {
    await install(["--prefix", prefix]);
    const path = [join(prefix, "share", "jupyter"), process.env.JUPYTER_PATH]
      .filter(Boolean)
      .join(process.platform === "win32" ? ";" : ":");
    const server = spawn(jupyter.command, [...jupyter.args, ...argv], {
      stdio: "inherit",
      env: { ...process.env, JUPYTER_PATH: path },
    });
    const ignore = () => {};
    process.on("SIGINT", ignore); // The server asks for itself whether to stop.
    return await new Promise<number>((resolve) => server.once("exit", (code) => resolve(code ?? 1)));
  } finally {
    rmSync(prefix, { recursive: true, force: true });
  }
}
