/** Everything the user's process says: written at once and in order, so that it is seen also while a loop never yields. */
import { Writable } from "node:stream";
import { frame, writeAll } from "../frames.ts";
import type { Bundle, Content } from "../messages.ts";
import { type FromChild, fds } from "../protocol.ts";

const flushBytes = 64 * 1024;
const windowMs = 50;
/** Writes per window that go out at once; beyond that it is a flood, and is gathered. */
const burst = 50;

let buffered: { name: "stdout" | "stderr"; chunks: string[]; size: number } | undefined;
let windowStart = 0;
let writes = 0;
let timer: NodeJS.Timeout | undefined;

/** Sends an event after all text that came before it. */
export function emit(event: FromChild): void {
  flushText();
  writeAll(fds.events, frame(event));
}

function flushText(): void {
  if (!buffered) return;
  const { name, chunks } = buffered;
  buffered = undefined;
  writeAll(fds.events, frame({ op: "stream", name, text: chunks.join("") } satisfies FromChild));
}

export function print(name: "stdout" | "stderr", text: string): void {
  if (text === "") return;
  if (buffered && buffered.name !== name) flushText();
  buffered ??= { name, chunks: [], size: 0 };
  buffered.chunks.push(text);
  buffered.size += text.length;
  const now = performance.now();
  if (now - windowStart > windowMs) {
    windowStart = now;
    writes = 0;
  }
  if (++writes <= burst || buffered.size >= flushBytes) flushText();
  else if (timer === undefined) {
    timer = setTimeout(() => {
      timer = undefined;
      flushText();
    }, windowMs).unref();
  }
}

/** A new cell: what it prints first is seen at once, whatever the one before it did. */
export function resetBurst(): void {
  writes = 0;
}

/** process.stdout and process.stderr, so that text stays in order with displays and results. */
export function captureStreams(): void {
  for (const [name, fd] of [
    ["stdout", 1],
    ["stderr", 2],
  ] as const) {
    const stream = new Writable({
      decodeStrings: false,
      write(chunk: string | Buffer, encoding, done) {
        print(
          name,
          typeof chunk === "string"
            ? chunk
            : chunk.toString(encoding === ("buffer" as BufferEncoding) ? "utf8" : encoding),
        );
        done();
      },
    });
    Object.assign(stream, { fd, isTTY: false, columns: 100, _type: "pipe" });
    Object.defineProperty(process, name, { value: stream, configurable: true, enumerable: true });
  }
  process.on("exit", flushAll);
}

export interface DisplayOptions {
  displayId?: string;
  /** Replace what is shown under `displayId` instead of showing anew. */
  update?: boolean;
  metadata?: Content;
}

/** Updates of one display are shown at most this often; the last one is always shown. */
const updateMs = 100;
/** Frontends drop output beyond 1 MB/s: large figures are updated less often. Bytes per ms, of what the child sends (the kernel adds HTML). */
const bytesPerMs = 200;

interface Live {
  nextAt: number;
  pending: { data: Bundle; options: DisplayOptions } | undefined;
  timer: NodeJS.Timeout | undefined;
}
const live = new Map<string, Live>();

/** Shows a MIME bundle at once. */
export function show(data: Bundle, options: DisplayOptions = {}): void {
  const { displayId, update = false } = options;
  if (displayId === undefined || !update) {
    const sent = send(data, options);
    if (displayId !== undefined) live.set(displayId, { nextAt: sent, pending: undefined, timer: undefined });
    return;
  }
  const state = live.get(displayId) ?? { nextAt: 0, pending: undefined, timer: undefined };
  live.set(displayId, state);
  state.pending = { data, options };
  const wait = state.nextAt - performance.now();
  if (wait <= 0) flushDisplay(state);
  else state.timer ??= setTimeout(() => flushDisplay(state), wait);
}

function flushDisplay(state: Live): void {
  clearTimeout(state.timer);
  state.timer = undefined;
  const { pending } = state;
  state.pending = undefined;
  if (pending) state.nextAt = send(pending.data, pending.options);
}

/** @returns when the next update of the same display may go out. */
function send(data: Bundle, { displayId, update = false, metadata = {} }: DisplayOptions): number {
  const bytes = frame({
    op: "display",
    data: plain(data),
    metadata,
    update,
    ...(displayId === undefined ? {} : { displayId }),
  } satisfies FromChild);
  flushText();
  writeAll(fds.events, bytes);
  return performance.now() + Math.max(updateMs, bytes.length / bytesPerMs);
}

/** Text, and the last state of every live display. */
export function flushAll(): void {
  for (const state of live.values()) if (state.pending) flushDisplay(state);
  flushText();
}

/** Bytes become base64, as the protocol wants; functions and undefined are left out. */
export function plain(data: Bundle): Bundle {
  return Object.fromEntries(
    Object.entries(data)
      .filter(([, value]) => value !== undefined)
      .map(([mime, value]) => [mime, value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value]),
  );
}
