/** The bundle of the page: published with the package; in a clone it is made on first use, and again when its sources change. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the app's sources; from the built kernel as from the sources. */
function home(): string {
  const self = new URL(import.meta.url);
  return fileURLToPath(
    new URL(self.pathname.endsWith(".ts") ? "../notebook-app" : "../../../kernel/notebook-app", self),
  );
}

/** The bundle, or undefined when it was not made yet or its sources are newer. */
export function findApp(folder = home()): string | undefined {
  // A page of one's own: for those who build it elsewhere.
  if (process.env.THALWEG_APP) return process.env.THALWEG_APP;
  const made = join(folder, "dist", "page.json");
  if (!existsSync(made)) return undefined;
  // The published package has the bundle without its sources' installation: what is there is right.
  if (!existsSync(join(folder, "package-lock.json"))) return join(folder, "dist");
  const sources = [
    "package-lock.json",
    "build.mjs",
    ...readdirSync(join(folder, "src"), { recursive: true }).map((name) => join("src", String(name))),
    ...["widgets/buffers.ts", "widgets/stills.ts", "stale/digest.ts"].map((name) => join("..", name)),
  ];
  const newest = Math.max(...sources.map((file) => statSync(join(folder, file)).mtimeMs));
  return statSync(made).mtimeMs >= newest ? join(folder, "dist") : undefined;
}

/** Makes the bundle: JupyterLab's packages from the npm registry, then esbuild. @throws with a sentence that says what is missing. */
export async function buildApp(say: (line: string) => void, folder = home()): Promise<string> {
  const installed = join(folder, "node_modules", ".package-lock.json");
  const lock = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  const mark = join(folder, "node_modules", ".installed");
  if (!existsSync(installed) || !existsSync(mark) || readFileSync(mark, "utf8") !== lock) {
    say("First use: fetching JupyterLab's components (about 60 MB, half a minute) …");
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const { code, output } = await run(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], folder);
    if (code !== 0) {
      const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|network/i.test(output);
      throw new Error(
        `notebook: ${offline ? "the npm registry must be reachable to fetch the notebook's page, and it is not; try again when there is a network" : `npm could not fetch the notebook's page:\n${output.trim()}`}\n\`thalweg run\`, \`thalweg repl\` and \`thalweg lab\` work without it.`,
      );
    }
    writeFileSync(mark, lock);
  }
  say("Building the page …");
  const { code, output } = await run(process.execPath, ["build.mjs"], folder);
  if (code !== 0) throw new Error(`notebook: the page could not be built:\n${output.trim()}`);
  say(output.trim());
  return join(folder, "dist");
}

function run(command: string, args: string[], cwd: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], shell: command.endsWith(".cmd") });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
    child.once("error", (error) => resolve({ code: 1, output: error.message }));
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
