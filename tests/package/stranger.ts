/** A folder of a stranger's: the package is made, and installed there with nothing but the npm registry to be reached. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findApp } from "../../kernel/server/app.ts";

export const root = new URL("../..", import.meta.url).pathname;

/** Why the package cannot be made or installed here; "" when it can. */
export const missing: string = (() => {
  if (findApp() === undefined) return "the notebook's page is not built; npm run build:notebook builds it";
  const asked = ["view", "onnxruntime-common@1.30.0", "version", "--fetch-retries=0", "--fetch-timeout=15000"];
  return spawnSync("npm", asked, { cwd: root, timeout: 60_000 }).status === 0 ? "" : "the npm registry is out of reach";
})();

/** Makes a process and those that it starts connect to the hosts named and to no other; others are written to a file. */
const guard = (hosts: readonly string[], refused: string): string => `
const net = require("node:net"), fs = require("node:fs"), { connect } = net.Socket.prototype;
const allowed = ${JSON.stringify([...hosts, "localhost", "127.0.0.1", "::1"])};
net.Socket.prototype.connect = function (...given) {
  const options = [given].flat(2).find((one) => one !== null && typeof one === "object") ?? {};
  const host = options.host ?? (typeof given[1] === "string" ? given[1] : undefined);
  if (host !== undefined && !options.path && !allowed.includes(host)) {
    fs.appendFileSync(${JSON.stringify(refused)}, host + "\\n");
    throw new Error("no way to " + host);
  }
  return connect.apply(this, given);
};`;

export interface Stranger {
  readonly folder: string;
  /** Hosts other than the registry that were asked for while installing. */
  readonly refused: string;
  /** Runs a command in the folder; gives what it prints. @throws Error with standard error too where it fails. */
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): string;
  remove(): void;
}

/** Makes the package and installs it, with install scripts, into an empty folder. */
export function stranger(): Stranger {
  const own: NodeJS.ProcessEnv = { ...process.env, THALWEG_RUNS: "off", npm_config_ignore_scripts: "false" };
  // What vitest says to its own programs.
  for (const name of ["NODE_OPTIONS", "NODE_ENV", "VITEST", "THALWEG_QUIET"]) delete own[name];
  execFileSync("npm", ["run", "package"], { cwd: root, stdio: "pipe" });

  const folder = mkdtempSync(join(tmpdir(), "thalweg-stranger-"));
  const run: Stranger["run"] = (command, args, env = {}) => {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd: folder,
      env: { ...own, ...env },
      encoding: "utf8",
      timeout: 240_000,
    });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${status ?? error}\n${stdout}${stderr}`);
    return stdout;
  };
  const hostOf = (url: string | undefined): string[] => (url && URL.canParse(url) ? [new URL(url).hostname] : []);
  const hosts = [
    ...hostOf(execFileSync("npm", ["config", "get", "registry"], { cwd: root, encoding: "utf8" }).trim()),
    ...["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].flatMap((name) => hostOf(process.env[name])),
  ];
  const [only, refused] = [join(folder, "only.cjs"), join(folder, "refused.txt")];
  writeFileSync(only, guard(hosts, refused));
  writeFileSync(refused, "");
  run("npm", ["init", "-y"]);
  run("npm", ["pkg", "set", "type=module"]);
  const { devDependencies, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const wanted = [join(root, "out", `thalweg-${version}.tgz`), `tsx@${devDependencies.tsx}`];
  run("npm", ["install", "--no-audit", "--no-fund", "--fetch-retries=2", ...wanted], {
    NODE_OPTIONS: `--require ${only}`,
  });
  return {
    folder,
    refused: readFileSync(refused, "utf8"),
    run,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
