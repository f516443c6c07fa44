/** `thalweg install`: writes the kernelspec, so that Jupyter lists the kernel. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { dataFolder } from "../jupyter.ts";
import { kernelspec } from "../notebook/nbformat.ts";
import { typesOption, UsageError } from "./options.ts";

export const usage = `thalweg install [--prefix folder | --sys-prefix] [--name thalweg] [--preload module | --no-preload] [--types warn|block|off]
  Adds the kernel to Jupyter: for this user, under <folder>/share/jupyter, or in the Python environment that is active.`;

export const installOptions = {
  prefix: { type: "string" },
  "sys-prefix": { type: "boolean" },
  user: { type: "boolean" },
  name: { type: "string", default: kernelspec.name },
  preload: { type: "string" },
  "no-preload": { type: "boolean" },
  types: { type: "string" },
} as const;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: installOptions });
  const folder = specFolder(values);
  const flags = [
    ...(values["no-preload"] ? ["--no-preload"] : values.preload === undefined ? [] : ["--preload", values.preload]),
    ...(values.types === undefined ? [] : ["--types", typesOption(values.types)]),
  ];
  const spec = {
    argv: [process.execPath, binPath(), "kernel", "{connection_file}", ...flags],
    display_name: kernelspec.display_name,
    language: kernelspec.language,
    interrupt_mode: "message",
    metadata: { debugger: true },
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  writeFileSync(join(folder, "logo-svg.svg"), logo);
  console.log(`Installed the kernel "${kernelspec.display_name}" in ${folder}`);
  return 0;
}

export function specFolder(values: {
  prefix?: string | undefined;
  "sys-prefix"?: boolean | undefined;
  name?: string | undefined;
}): string {
  const name = values.name ?? kernelspec.name;
  if (!/^[a-z0-9._-]+$/i.test(name))
    throw new UsageError(`--name: letters, digits, ".", "_" and "-" are allowed, got ${name}`);
  const prefix = values["sys-prefix"] ? pythonPrefix() : values.prefix;
  return join(prefix === undefined ? dataFolder() : join(prefix, "share", "jupyter"), "kernels", name.toLowerCase());
}

function pythonPrefix(): string {
  const { stdout, status } = spawnSync("python3", ["-c", "import sys; print(sys.prefix)"], { encoding: "utf8" });
  if (status !== 0) throw new UsageError("--sys-prefix: python3 must be on the path; use --prefix instead");
  return stdout.trim();
}

/** The command of this package: sources run through it too. */
export function binPath(): string {
  const self = new URL(import.meta.url);
  return fileURLToPath(new URL(self.pathname.endsWith(".ts") ? "../bin.mjs" : "../../../kernel/bin.mjs", self));
}

/** A stream finding its bed: the line of steepest descent. */
const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="12" fill="#3178c6"/><path d="M8 16c14 0 12 14 24 16s10 18 24 18" fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round"/><path d="M8 30c8 0 10 8 18 10s10 12 20 14M22 10c8 2 10 10 18 12s10 10 16 14" fill="none" stroke="#fff" stroke-opacity=".45" stroke-width="3" stroke-linecap="round"/></svg>\n`;
