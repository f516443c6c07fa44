/** A value → a MIME bundle: its own way of showing itself first, then images, tensors, tables, and always text. */
import { inspect } from "node:util";
import type { Bundle } from "../messages.ts";
import { table } from "./table.ts";
import { tensorBundle } from "./tensor.ts";

export const displaySymbol = Symbol.for("Jupyter.display");

/** @returns undefined for `undefined`: nothing to show. */
export async function bundleOf(value: unknown): Promise<Bundle | undefined> {
  if (value === undefined) return undefined;
  if (isObject(value)) {
    const own = (value as { [displaySymbol]?: unknown })[displaySymbol];
    if (typeof own === "function" && value !== globalThis) {
      const bundle = (await own.call(value)) as unknown;
      // What shows itself elsewhere is not shown again.
      if (bundle === null) return undefined;
      if (!isObject(bundle))
        throw new TypeError(`Symbol.for("Jupyter.display") must return a MIME bundle, got ${inspect(bundle)}`);
      return "text/plain" in bundle ? (bundle as Bundle) : { ...bundle, "text/plain": inspect(value, { depth: 1 }) };
    }
    if (value instanceof Uint8Array) {
      const mime = imageMime(value);
      if (mime) return { [mime]: value, "text/plain": `${mime}, ${value.length} bytes` };
    }
    const special = tensorBundle(value) ?? table(value);
    if (special) return { ...special, "text/plain": special["text/plain"] ?? text(value) };
  }
  return { "text/plain": text(value) };
}

/** The bundle of a value that cannot be waited for: at a breakpoint no promise is settled. */
export function bundleNow(value: unknown): Bundle {
  if (isObject(value)) {
    const own = (value as { [displaySymbol]?: unknown })[displaySymbol];
    const given = typeof own === "function" && value !== globalThis ? (own.call(value) as unknown) : undefined;
    if (isObject(given) && !("then" in given)) return { "text/plain": text(value), ...given };
    const special = tensorBundle(value) ?? table(value);
    if (special) return { "text/plain": text(value), ...special };
  }
  return { "text/plain": text(value) };
}

/** A line that says what an object is, where it or we know better than V8; undefined otherwise. */
export function brief(value: object): string | undefined {
  const known = displaySymbol in value || tensorBundle(value) !== undefined;
  if (!known || value === globalThis) return undefined;
  return String(bundleNow(value)["text/plain"] ?? "").split("\n")[0];
}

export function text(value: unknown): string {
  return inspect(value, { depth: 4, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 100 });
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

const signatures: [string, number[]][] = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
  ["application/pdf", [0x25, 0x50, 0x44, 0x46]],
];

function imageMime(bytes: Uint8Array): string | undefined {
  return signatures.find(([, start]) => start.every((byte, i) => bytes[i] === byte))?.[0];
}
