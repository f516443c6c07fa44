/** A lock that a crash does not leave shut: its file says who holds it, and whoever finds that holder gone takes it over. */
import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";

/** Who holds a lock. `born` tells a process from a later one with the same number, where the system says it. */
interface Holder {
  readonly host: string;
  readonly pid: number;
  readonly born: string;
  readonly token: string;
}

/** A lock that is held. */
export interface Lock {
  /** Throws when another process has taken the lock over. */
  requireHeld(): void;
  release(): void;
}

/** How often a holder shows that it is alive, and how long another machine believes it without, in milliseconds. */
const beat = 15_000;
const patience = 10 * 60_000;

let taken = 0;

/** Takes a lock; undefined while somebody else holds it. */
export function takeLock(path: string): Lock | undefined {
  const own: Holder = {
    host: hostname(),
    pid: process.pid,
    born: bornAt(process.pid),
    token: `${process.pid}-${++taken}-${Date.now().toString(36)}`,
  };
  for (let attempt = 0; attempt < 3; attempt++) {
    if (create(path, own)) return held(path, own);
    const holder = read(path);
    if (holder !== undefined && alive(holder, path)) return undefined;
    evict(path, holder);
  }
  return undefined;
}

/** Who holds a lock, in words; undefined when nobody does. */
export function holderOf(path: string): string | undefined {
  const holder = read(path);
  return holder === undefined || !alive(holder, path)
    ? undefined
    : `process ${holder.pid}${holder.host === hostname() ? "" : ` on ${holder.host}`}`;
}

function held(path: string, own: Holder): Lock {
  const pulse = setInterval(() => {
    try {
      const now = new Date();
      if (read(path)?.token === own.token) utimesSync(path, now, now);
    } catch {
      // Somebody else's now, or gone: requireHeld says so when it matters.
    }
  }, beat);
  pulse.unref();
  return {
    requireHeld() {
      if (read(path)?.token !== own.token)
        throw new Error(
          "record: a run is written by one process at a time, got a second one that took it over; stop one of them and run again",
        );
    },
    release() {
      clearInterval(pulse);
      if (read(path)?.token === own.token) rmSync(path, { force: true });
    },
  };
}

function create(path: string, own: Holder): boolean {
  let file: number;
  try {
    file = openSync(path, "wx");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  writeSync(file, JSON.stringify(own));
  closeSync(file);
  return true;
}

function read(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch {
    return undefined;
  }
}

/** Whether a holder is still there: asked of the system on this machine, and of the file's age for another. */
function alive(holder: Holder, path: string): boolean {
  if (holder.host !== hostname()) return age(path) < patience;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return holder.born === bornAt(holder.pid);
}

function age(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Moves a dead holder's lock out of the way; when it turns out to be another's by now, that one gets it back. A file that names no holder
 * is being written, or was cut short by a crash: it counts for a moment.
 */
function evict(path: string, dead: Holder | undefined): void {
  if (dead === undefined && age(path) < 1000) return;
  const aside = `${path}.${process.pid}.dead`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (read(aside)?.token !== dead?.token) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process was quicker; the one we displaced will see that it no longer holds the lock.
    }
  }
  rmSync(aside, { force: true });
}

/** When a process began, as the system counts; "" where it does not say. */
function bornAt(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
