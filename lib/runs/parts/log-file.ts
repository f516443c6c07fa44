/** The event log of a run as a file: one event per line, only ever added to, and mended when its last line was cut short. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import type { TrainEvent } from "../../train/events.ts";
import { writeAll } from "./files.ts";

/** A log that is open for writing. */
export interface LogFile {
  /** Bytes of whole lines, those not yet written included. */
  readonly length: number;
  /** Adds an event; it is in the file after the next `flush`. */
  append(event: TrainEvent): void;
  /** Writes what was added; with `lasting` it survives a power cut. */
  flush(lasting?: boolean): void;
  close(): void;
}

/** Opens a log for adding to it after its first `length` bytes; what follows them is cut off. */
export function openLog(path: string, length: number): LogFile {
  const file = openSync(path, "a");
  if (fstatSync(file).size > length) ftruncateSync(file, length);
  let lines: string[] = [];
  let written = length;
  let waiting = 0;
  return {
    get length() {
      return written + waiting;
    },
    append(event) {
      const line = `${lineOf(event)}\n`;
      lines.push(line);
      waiting += Buffer.byteLength(line);
    },
    flush(lasting = false) {
      if (lines.length > 0) {
        const bytes = new TextEncoder().encode(lines.join(""));
        try {
          writeAll(file, bytes);
        } catch (error) {
          cutBack(file, written);
          throw error;
        }
        lines = [];
        written += bytes.length;
        waiting = 0;
      }
      if (lasting) fsyncSync(file);
    },
    close: () => closeSync(file),
  };
}

/** Takes back a line that was written in part; where that fails too, `readLog` leaves it out. */
function cutBack(file: number, length: number): void {
  try {
    if (fstatSync(file).size > length) ftruncateSync(file, length);
  } catch {
    // The disk is in no state to be written to.
  }
}

/** The events of a log file and the bytes they take; a last line that was cut short does not count. An absent file is an empty log. */
export function readLog(path: string, most = Number.POSITIVE_INFINITY): { events: TrainEvent[]; length: number } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return { events: [], length: 0 };
    throw error;
  }
  let end = bytes.lastIndexOf(10, Math.min(bytes.length, most) - 1) + 1;
  const lines = bytes.toString("utf8", 0, end).split("\n");
  lines.pop();
  const events: TrainEvent[] = [];
  for (const [i, line] of lines.entries()) {
    const event = eventOf(line);
    if (event === undefined) {
      // A power cut can leave a line of zeros: what comes after it was not written in order and does not count either.
      end = lines.slice(0, i).reduce((sum, kept) => sum + Buffer.byteLength(kept) + 1, 0);
      break;
    }
    events.push(event);
  }
  return { events, length: end };
}

/** An event as a line of JSON. Numbers that JSON does not know are words, which databases read as numbers again. */
function lineOf(event: TrainEvent): string {
  const plain = JSON.stringify(event);
  if (!plain.includes("null")) return plain; // a number that JSON does not know would be null
  return JSON.stringify(event, (_key, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
}

const words = /"(NaN|-?Infinity)"/;
/** Fields that hold text, whatever it says. */
const texts = new Set(["text", "name", "from", "layer", "device"]);

function eventOf(line: string): TrainEvent | undefined {
  try {
    if (!words.test(line)) return JSON.parse(line) as TrainEvent;
    return JSON.parse(line, (key, value: unknown) =>
      typeof value === "string" && !texts.has(key) && words.test(`"${value}"`) ? Number(value) : value,
    ) as TrainEvent;
  } catch {
    return undefined;
  }
}
