/** `thalweg packages`: installs what a notebook pins. */
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { type Consent, ensurePackages, list, pinsOf } from "../notebook/packages.ts";
import { openNotebook } from "../notebook/read.ts";
import { configFolder } from "../server/disk.ts";
import { UsageError } from "./options.ts";

export const usage = `thalweg packages <notebook.ipynb | notebook.ts> [--install]
  Installs the npm packages that the notebook pins ("// npm: name@1.2.3" in a cell), into a folder of its own; asks before, unless --install is said.`;

/** How the person in front of the terminal is asked. */
export function consent(given: boolean): Consent {
  const tty = process.stdin.isTTY === true && process.stdout.isTTY === true;
  async function ask(question: string): Promise<boolean> {
    const lines = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await lines.question(question);
    lines.close();
    return /^y(es)?$/i.test(answer.trim());
  }
  return { file: join(configFolder(), "packages.json"), given, ask: tty ? ask : undefined };
}

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { install: { type: "boolean", default: false } },
  });
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw new UsageError(usage);
  const notebook = openNotebook(path);
  const folder = await ensurePackages(path, notebook, consent(values.install));
  console.log(folder === undefined ? `${path} pins no packages.` : `${list(pinsOf(notebook))} in ${folder}`);
  return 0;
}
