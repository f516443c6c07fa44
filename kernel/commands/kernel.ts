/** `thalweg kernel`: what Jupyter starts. */
import { parseArgs } from "node:util";
import { startKernel } from "../main.ts";
import { preloadOption, typesOption, UsageError } from "./options.ts";

export const usage = `thalweg kernel <connection-file> [--preload module | --no-preload] [--types warn|block|off]
  Serves the Jupyter protocol; Jupyter calls this.`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { preload: { type: "string" }, "no-preload": { type: "boolean" }, types: { type: "string" } },
  });
  const [file] = positionals;
  if (file === undefined) throw new UsageError(usage);
  await startKernel(file, { ...preloadOption(values), typeErrors: typesOption(values.types) });
  // The sockets keep the process alive; the exit code of a command is for those that end.
  return new Promise(() => {});
}
