/** Where Jupyter keeps kernels, and whether it is there. */
import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";

/** The user's Jupyter data folder. */
export function dataFolder(): string {
  if (process.env.JUPYTER_DATA_DIR) return process.env.JUPYTER_DATA_DIR;
  if (process.platform === "darwin") return join(homedir(), "Library", "Jupyter");
  if (process.platform === "win32") return join(process.env.APPDATA ?? homedir(), "jupyter");
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "jupyter");
}

/** The command that starts JupyterLab (or Notebook, or the classic one), or undefined when there is none. */
export function findJupyter(...subcommands: string[]): { command: string; args: string[] } | undefined {
  for (const subcommand of subcommands) {
    for (const [command, args] of [
      ["jupyter", [subcommand]],
      ["python3", ["-m", subcommand === "lab" ? "jupyterlab" : subcommand]],
    ] as [string, string[]][]) {
      const tried = spawnSync(command, [...args, "--version"], { stdio: "ignore", timeout: 20_000 });
      if (tried.status === 0) return { command, args };
    }
  }
  return undefined;
}
