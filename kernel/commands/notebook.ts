/** `thalweg notebook`: the notebook in the browser, from one command and without Python. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { areInstalled, list, packagesFolder, pinsOf } from "../notebook/packages.ts";
import { openNotebook } from "../notebook/read.ts";
import { buildApp, findApp } from "../server/app.ts";
import { type NotebookServer, type ServerOptions, startServer } from "../server/server.ts";
import { preloadOption, typesOption, UsageError } from "./options.ts";

export const usage = `thalweg notebook [file.ipynb | folder] [--app] [--port number] [--no-open] [--preload module | --no-preload] [--types warn|block|off]
  Opens the notebook in the browser. Serves the folder to this machine alone; Ctrl-C ends it.
  With --app the file is run and shown without its code, its widgets live.`;

/** The first port to try, and how many after it, when none is asked for. */
const firstPort = 8888;
const tries = 50;
/** The longest that ending may take. */
const endMs = 3000;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      port: { type: "string" },
      app: { type: "boolean", default: false },
      "no-open": { type: "boolean", default: false },
      preload: { type: "string" },
      "no-preload": { type: "boolean", default: false },
      types: { type: "string" },
    },
  });
  if (positionals.length > 1) throw new UsageError(usage);
  const { root, file } = target(positionals[0]);
  if (values.app && file === undefined) throw new UsageError("--app: a notebook is required, got a folder");
  const app = findApp() ?? (await buildApp((line) => console.log(line)));
  let stop = () => {};
  const stopped = new Promise<void>((done) => {
    stop = done;
  });
  const server = await listen(portOf(values.port), {
    root,
    app,
    ...(values.app ? { appFile: file! } : {}),
    ...preloadOption(values),
    typeErrors: typesOption(values.types),
    onShutdown: () => stop(),
  });
  endOnSignal(server, stop);
  const url = server.url(file);
  console.log(`\n  ${url}\n\nServes ${root} to this machine alone. Ctrl-C ends it.`);
  if (file !== undefined) tellPackages(join(root, file));
  const forget = values["no-open"] ? () => {} : open(url);
  await stopped;
  forget();
  // A kernel that is just starting may be slow to end; its processes die with this one.
  await Promise.race([server.close(), new Promise((resolve) => setTimeout(resolve, endMs))]);
  console.log("Ended; everything that was saved is on the disk.");
  process.exit(0);
}

/** To open a notebook installs nothing: what is missing is said. */
function tellPackages(path: string): void {
  try {
    const pins = pinsOf(openNotebook(path));
    if (Object.keys(pins).length === 0 || areInstalled(packagesFolder(path), pins)) return;
    console.log(`It pins ${list(pins)}, which is not installed: npx thalweg packages ${relative(process.cwd(), path)}`);
  } catch {
    // What is wrong with the file the page says.
  }
}

/** The folder that is served and the file in it that is opened. A file below the current folder leaves the current folder served. */
export function target(given: string | undefined): { root: string; file?: string } {
  const path = resolve(given ?? ".");
  let info: ReturnType<typeof statSync>;
  try {
    info = statSync(path);
  } catch {
    throw new UsageError(`notebook: a notebook or a folder is required, got ${given}, which does not exist`);
  }
  if (info!.isDirectory()) return { root: path };
  const way = relative(process.cwd(), path);
  const below = !way.startsWith("..") && resolve(way) === path && !/^[a-z]:/i.test(way);
  return below
    ? { root: process.cwd(), file: way.split(/[\\/]/).join("/") }
    : { root: dirname(path), file: basename(path) };
}

function portOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const port = Number(given);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`--port: a number from 0 to 65535 is required, got ${given}`);
  return port;
}

async function listen(port: number | undefined, options: ServerOptions): Promise<NotebookServer> {
  for (let candidate = port ?? firstPort; ; candidate++) {
    try {
      return await startServer({ ...options, port: candidate });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EACCES")
        throw new UsageError(`--port: a port that this user may open is required, got ${candidate}; leave --port out`);
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      if (port !== undefined)
        throw new UsageError(
          `--port: a free port is required, and something listens at ${port} already; leave --port out`,
        );
      if (candidate >= firstPort + tries)
        throw new UsageError("notebook: no free port was found; name one with --port");
    }
  }
}

/** Opens the browser. The address goes through a file of the user's own: the arguments of a process can be read by everybody. */
function open(url: string): () => void {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-open-"));
  const file = join(folder, "open.html");
  writeFileSync(file, `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=${url}">`, {
    mode: 0o600,
  });
  const [command, ...args] =
    process.platform === "darwin" ? ["open"] : process.platform === "win32" ? ["cmd", "/c", "start", ""] : ["xdg-open"];
  const opener = spawn(command!, [...args, pathToFileURL(file).href], { stdio: "ignore", detached: true });
  opener.once("error", () => console.log("No browser could be opened: open the address above."));
  opener.unref();
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Ctrl-C ends the server; while kernels run, who presses it by mistake loses nothing: it must be pressed twice. */
function endOnSignal(server: NotebookServer, stop: () => void): void {
  let asked = 0;
  process.on("SIGINT", () => {
    const kernels = server.kernelCount;
    if (kernels === 0 || !process.stdin.isTTY || Date.now() - asked < 5000) return stop();
    asked = Date.now();
    console.log(
      `\n${kernels === 1 ? "A kernel runs" : `${kernels} kernels run`}; what they hold in memory would be lost. Press Ctrl-C again to end.`,
    );
  });
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  process.on("uncaughtException", (error) => console.error(error));
  process.on("unhandledRejection", (error) => console.error(error));
}
