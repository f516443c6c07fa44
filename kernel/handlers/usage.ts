/** `usage_request`, as jupyter-resource-usage asks it, with what the user's process says of itself: its device, and how far it is. */
import { readFileSync } from "node:fs";
import { hostname, totalmem } from "node:os";
import type { Handler } from "../context.ts";

/** Bytes that a process holds in memory; nothing where the system does not tell. */
function memoryOf(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const pages = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return pages === undefined ? undefined : Number(pages) * 1024;
  } catch {
    return undefined;
  }
}

export const usage: Handler = ({ evaluator, told }) => ({
  hostname: hostname(),
  pid: evaluator.pid,
  kernel_memory: memoryOf(evaluator.pid) ?? null,
  host_virtual_memory: { total: totalmem() },
  ...told,
});
