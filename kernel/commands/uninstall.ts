/** `thalweg uninstall`: removes what `install` wrote. */
import { existsSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { installOptions, specFolder } from "./install.ts";

export const usage = `thalweg uninstall [--prefix folder | --sys-prefix] [--name thalweg]
  Removes the kernel from Jupyter.`;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: installOptions });
  const folder = specFolder(values);
  if (!existsSync(folder)) {
    console.log(`No kernel in ${folder}`);
    return 1;
  }
  rmSync(folder, { recursive: true });
  console.log(`Removed ${folder}`);
  return 0;
}
