/** The `thalweg` command. Each command is a file of commands/, loaded when asked for. */
import { version } from "./kernel-info.ts";

type Command = { usage: string; run(argv: string[]): Promise<number> };

const commands: Record<string, () => Promise<Command>> = {
  notebook: () => import("./commands/notebook.ts"),
  run: () => import("./commands/run.ts"),
  test: () => import("./commands/test.ts"),
  convert: () => import("./commands/convert.ts"),
  repl: () => import("./commands/repl.ts"),
  packages: () => import("./commands/packages.ts"),
  conform: () => import("./commands/conform.ts"),
  gpu: () => import("./commands/gpu.ts"),
  lab: () => import("./commands/lab.ts"),
  install: () => import("./commands/install.ts"),
  uninstall: () => import("./commands/uninstall.ts"),
  kernel: () => import("./commands/kernel.ts"),
};

export async function main(argv: string[]): Promise<void> {
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-v") return console.log(version);
  const load = name === undefined ? undefined : commands[name];
  if (!load) {
    const known = name === undefined || name === "help" || name === "--help" || name === "-h";
    if (!known) console.error(`thalweg: no command ${name}\n`);
    for (const command of Object.values(commands)) console.error(`${(await command()).usage}\n`);
    process.exitCode = known ? 0 : 2;
    return;
  }
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) return console.log(command.usage);
  try {
    process.exitCode = await command.run(rest);
  } catch (error) {
    // Mistakes in the call and in files are told in a sentence; anything else is ours, and keeps its stack.
    const told =
      error instanceof Error &&
      (error.name === "UsageError" ||
        /^ERR_PARSE_ARGS|^ENOENT|^EACCES/.test(String((error as { code?: string }).code)) ||
        /^\w+: /.test(error.message));
    console.error(told ? error.message : error);
    process.exitCode = 2;
  }
}

if (process.argv[1] && /[\\/]kernel[\\/]cli\.(ts|js)$/.test(process.argv[1])) await main(process.argv.slice(2));
