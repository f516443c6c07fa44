/** Where in the user's program something happened, and how it is said once. */
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));

/** The innermost line of a stack that is neither TensorFlow.js's nor the engine's, or null. */
export function userLine(error: Error): string | null {
  for (const line of (error.stack ?? "").split("\n").slice(1)) {
    const at = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/.exec(line)?.[1];
    // Source maps show TensorFlow.js under its own folders.
    if (!at || /node_modules|^node:|\/tfjs-[a-z-]+\/(src|dist)\//.test(at)) continue;
    const path = at.startsWith("file://") ? fileURLToPath(at.replace(/:\d+:\d+$/, "")) + at.match(/:\d+:\d+$/)![0] : at;
    if (!path.startsWith(here)) return path;
  }
  return null;
}

/** The names of the functions that led here, the innermost first. Source maps, which take long to read, stay unread. */
export function callers(): string[] {
  const { prepareStackTrace } = Error;
  try {
    Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFunctionName() ?? "");
    return new Error().stack as unknown as string[];
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
}

/** The innermost operation of TensorFlow.js in a stack, as the user calls it, or null. Its functions end in an underscore. */
export function operationIn(error: Error): string | null {
  return /^\s*at (?:\w+\.)?([a-z]\w*)_ /m.exec(error.stack ?? "")?.[1] ?? null;
}

const said = new Set<string>();

/** Writes a sentence to standard error, once. */
export function warnOnce(sentence: string): void {
  if (said.has(sentence)) return;
  said.add(sentence);
  console.warn(sentence);
}
