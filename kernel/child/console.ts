/** `console.log` and its kin, straight to the output: Node's own goes through a stream and adds and removes a listener for every line. */
import { format } from "node:util";
import { print } from "./output.ts";

const streams = { log: "stdout", info: "stdout", debug: "stdout", warn: "stderr", error: "stderr" } as const;

/** The rest of `console` (table, dir, time, …) stays Node's; it ends at process.stdout, which ends at the same place. */
export function installConsole(): void {
  let indent = "";
  const line = (name: "stdout" | "stderr", args: unknown[]) => {
    const text = args.length === 1 && typeof args[0] === "string" ? args[0] : format(...args);
    print(name, indent === "" ? `${text}\n` : `${indent}${text.replaceAll("\n", `\n${indent}`)}\n`);
  };
  for (const [method, name] of Object.entries(streams)) {
    Object.defineProperty(console, method, {
      value: (...args: unknown[]) => line(name, args),
      configurable: true,
      writable: true,
      enumerable: true,
    });
  }
  const { groupEnd } = console;
  const open = console.group;
  const group = (...label: unknown[]) => {
    if (label.length > 0) line("stdout", label);
    // Node keeps its own indentation for what it prints itself.
    open.call(console);
    indent += "  ";
  };
  Object.assign(console, {
    group,
    groupCollapsed: group,
    groupEnd() {
      groupEnd.call(console);
      indent = indent.slice(2);
    },
  });
}
