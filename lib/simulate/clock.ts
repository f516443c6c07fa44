/** Many machines in one process: clocks, links and what programs do on them, the same for the same seed. */
import { stopAsked } from "../engine/runtime/interrupt.ts";
import { Interrupted } from "../train/fit.ts";
import { eventQueue } from "./parts/event-queue.ts";

/** What a process asks of the clock. */
type Ask =
  | { readonly kind: "work"; readonly seconds: number; readonly what: string; readonly job: () => unknown }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "receive"; readonly tag: string };

/** What a machine does: a generator that yields where time passes. Called by others with `yield*`. */
export type Process<T = void> = Generator<Ask, T, unknown>;

/** What came over a link. */
export interface Message<T = unknown> {
  readonly from: number;
  readonly tag: string;
  readonly body: T;
  readonly bytes: number;
  /** When it was handed to the link, and when it was there, in seconds of the clock. */
  readonly sent: number;
  readonly arrived: number;
}

/** A machine as its process sees it. */
export interface Machine {
  readonly index: number;
  readonly name: string;
  /** Seconds of the clock. */
  readonly now: number;
  /**
   * Works for so many seconds. `job` is done when the work begins; what it gives is there when the work ends. A promise is waited for then, in real
   * time: the clock stands still.
   */
  work<T = void>(seconds: number, what: string, job?: () => T | Promise<T>): Process<T>;
  /** Does nothing for so many seconds. */
  sleep(seconds: number): Process;
  /** Hands a message to the link and goes on. What a tag has after "#" tells messages of one kind apart. */
  send(to: number, tag: string, body: unknown, bytes: number): void;
  /** The next message under a tag, waited for; of equal ones the one that came first. */
  receive<T>(tag: string): Process<Message<T>>;
  /** A message that is there already; undefined where none is. */
  take<T>(tag: string): Message<T> | undefined;
}

/** A line between two machines: seconds until the first byte, and bytes in a second. */
export interface Link {
  readonly latency: number;
  readonly bandwidth: number;
}

/** When a machine does nothing: its work stands still, and what is sent to it comes when it is back. */
export interface Outage {
  readonly machine: number;
  readonly from: number;
  readonly to: number;
}

/** When a line is cut, in both directions: what is sent then goes when it is whole again. */
export interface Cut {
  readonly between: readonly [number, number];
  readonly from: number;
  readonly to: number;
}

/** What the clock is told of the machines. */
export interface ClockOptions {
  readonly machines: readonly string[];
  /** All lines, or what gives the line from one machine to another. Default: nothing takes time. */
  readonly link?: Link | ((from: number, to: number) => Link);
  readonly outages?: readonly Outage[];
  readonly cuts?: readonly Cut[];
  /** How many spans of time are kept for the picture; the sums are over all. Default 5000. */
  readonly spans?: number;
}

/** A stretch of time of one machine. */
export interface Span {
  readonly machine: number;
  readonly kind: "work" | "wait" | "send";
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

/** What a machine has done in all: seconds of work, of waiting for messages, of sending, and bytes. */
export interface Totals {
  readonly machine: string;
  readonly work: number;
  readonly wait: number;
  readonly send: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly messages: number;
}

/** A simulated clock under which machines work, wait and send. */
export interface Clock {
  readonly now: number;
  /** The first spans, in the order in which they began or were known. */
  readonly spans: readonly Span[];
  /** Spans that were not kept. */
  readonly dropped: number;
  totals(): readonly Totals[];
  /** Bytes by what was sent. */
  bytesByTag(): Readonly<Record<string, number>>;
  /** Starts a process on a machine. A server need not end. */
  spawn(machine: number, process: (me: Machine) => Process, options?: { readonly server?: boolean }): void;
  /** Lets time pass until all processes that are no servers have ended. */
  run(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

/** Real time after which timers and messages get a turn, in milliseconds. */
const turn = 30;

const immediate: Link = { latency: 0, bandwidth: Number.POSITIVE_INFINITY };

/**
 * A simulated clock: machines are generators that work for so long, send and receive; what happens is a function of what they do alone.
 *
 * A line is full duplex, and a machine sends one message at a time and receives one at a time: a transfer of `b` bytes takes `latency +
 * b / bandwidth` seconds (Hockney 1994's model), and both ends are taken for `b / bandwidth` of them.
 *
 * @throws RangeError for times that are no times; Error when processes wait for what nobody sends; Interrupted when it is stopped.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const clock = simulate.clock({ machines: ["a", "b"], link: { latency: 1, bandwidth: 10 } });
 * clock.spawn(0, function* (me) {
 *   yield* me.work(2, "think");
 *   me.send(1, "thought", "all is water", 40);
 * });
 * let at = 0;
 * clock.spawn(1, function* (me) {
 *   at = (yield* me.receive("thought")).arrived;
 * });
 * await clock.run();
 * at; // 7
 * ```
 */
export function clock({
  machines,
  link = immediate,
  outages = [],
  cuts = [],
  spans: kept = 5000,
}: ClockOptions): Clock {
  const lineOf = typeof link === "function" ? link : () => link;
  const queue = eventQueue();
  const spans: Span[] = [];
  const tags = new Map<string, number>();
  const sums = machines.map((machine) => ({
    machine,
    work: 0,
    wait: 0,
    send: 0,
    bytesSent: 0,
    bytesReceived: 0,
    messages: 0,
  }));
  /** When the sending and the receiving end of each machine are free. */
  const free = machines.map(() => ({ out: 0, in: 0 }));
  const boxes = machines.map(() => new Map<string, Message[]>());
  const waiting = machines.map(() => new Map<string, ((message: Message) => void)[]>());
  /** Processes that are to end, and what those that wait are waiting for. */
  let running = 0;
  let dropped = 0;
  let now = 0;
  const stuck = new Map<object, string>();

  const note = (span: Span): void => {
    sums[span.machine]![span.kind] += span.to - span.from;
    if (span.to === span.from) return;
    if (spans.length < kept) spans.push(span);
    else dropped++;
  };

  /** When work of so many seconds ends on a machine that begins it now. */
  const ended = (machine: number, seconds: number): number => {
    let [at, left] = [now, seconds];
    for (const { from, to } of outages.filter((o) => o.machine === machine).sort((a, b) => a.from - b.from)) {
      if (to <= at) continue;
      if (from >= at + left) break;
      left -= Math.max(0, from - at);
      at = to;
    }
    return at + left;
  };

  const up = (machine: number, at: number): number => {
    const outage = outages.find((o) => o.machine === machine && o.from <= at && at < o.to);
    return outage === undefined ? at : up(machine, outage.to);
  };

  const whole = (from: number, to: number, at: number): number => {
    const cut = cuts.find(
      ({ between, ...c }) => between.includes(from) && between.includes(to) && c.from <= at && at < c.to,
    );
    return cut === undefined ? at : whole(from, to, cut.to);
  };

  const deliver = (to: number, message: Message): void => {
    sums[to]!.bytesReceived += message.bytes;
    const first = waiting[to]!.get(message.tag)?.shift();
    if (first !== undefined) {
      first(message);
      return;
    }
    const box = boxes[to]!.get(message.tag);
    if (box === undefined) boxes[to]!.set(message.tag, [message]);
    else box.push(message);
  };

  const send = (from: number, to: number, tag: string, body: unknown, bytes: number): void => {
    if (machines[to] === undefined)
      throw new RangeError(`clock: a machine from 0 to ${machines.length - 1} is required to send to, got ${to}`);
    requireTime("bytes", bytes);
    const { latency, bandwidth } = from === to ? immediate : lineOf(from, to);
    const takes = bytes / bandwidth;
    const begins = whole(from, to, Math.max(now, free[from]!.out, free[to]!.in));
    free[from]!.out = begins + takes;
    free[to]!.in = begins + takes;
    const arrived = up(to, begins + takes + latency);
    sums[from]!.bytesSent += bytes;
    if (from !== to) sums[from]!.messages++;
    const what = kindOf(tag);
    tags.set(what, (tags.get(what) ?? 0) + bytes);
    note({ machine: from, kind: "send", what, from: begins, to: begins + takes });
    queue.at(arrived, () => deliver(to, { from, tag, body, bytes, sent: now, arrived }));
  };

  const taken = (machine: number, tag: string): Message | undefined => boxes[machine]!.get(tag)?.shift();

  function* ask(what: Ask): Process<never> {
    return (yield what) as never;
  }

  const machineOf = (index: number): Machine => ({
    index,
    name: machines[index]!,
    get now() {
      return now;
    },
    work: (seconds, what, job = () => undefined as never) =>
      ask({ kind: "work", seconds: requireTime("seconds of work", seconds), what, job }),
    sleep: (seconds) => ask({ kind: "wait", seconds: requireTime("seconds", seconds) }),
    send: (to, tag, body, bytes) => send(index, to, tag, body, bytes),
    receive: (tag) => ask({ kind: "receive", tag }),
    take: <T>(tag: string) => taken(index, tag) as Message<T> | undefined,
  });

  function spawn(index: number, make: (me: Machine) => Process, { server = false } = {}): void {
    const process = make(machineOf(index));
    if (!server) running++;
    const go = (value: unknown): void => {
      const { done, value: asked } = process.next(value);
      if (done === true) {
        if (!server) running--;
        return;
      }
      const began = now;
      if (asked.kind === "receive") {
        const there = taken(index, asked.tag);
        if (there !== undefined) {
          queue.at(now, () => go(there));
          return;
        }
        const queueOf = waiting[index]!.get(asked.tag) ?? [];
        waiting[index]!.set(asked.tag, queueOf);
        if (!server) stuck.set(process, `${machines[index]} waits for "${asked.tag}"`);
        queueOf.push((message) => {
          stuck.delete(process);
          note({ machine: index, kind: "wait", what: kindOf(asked.tag), from: began, to: now });
          go(message);
        });
        return;
      }
      const until = ended(index, asked.seconds);
      const made = asked.kind === "work" ? asked.job() : undefined;
      if (made instanceof Promise) made.catch(() => {}); // it is waited for when the work ends, and fails there
      queue.at(until, () => {
        if (asked.kind === "work") note({ machine: index, kind: "work", what: asked.what, from: began, to: until });
        return made instanceof Promise ? made.then(go) : go(made);
      });
    };
    queue.at(now, () => go(undefined));
  }

  return {
    get now() {
      return now;
    },
    spans,
    get dropped() {
      return dropped;
    },
    totals: () => sums.map((each) => ({ ...each })),
    bytesByTag: () => Object.fromEntries(tags),
    spawn,
    async run({ signal } = {}) {
      let rested = performance.now();
      while (running > 0) {
        const next = queue.next();
        if (next === undefined)
          throw new Error(
            `clock: a message for everyone who waits is required; ${[...stuck.values()].slice(0, 3).join(", ")}`,
          );
        now = next.time;
        const waits = next.happens();
        if (waits instanceof Promise) await waits;
        if (performance.now() - rested > turn) {
          await new Promise((resolve) => setImmediate(resolve));
          rested = performance.now();
          requireGoing(signal, now);
        }
      }
    },
  };
}

/** What is sent: a tag without what comes after "#". */
function kindOf(tag: string): string {
  return tag.split("#", 1)[0]!;
}

function requireTime(what: string, value: number): number {
  if (!(value >= 0 && Number.isFinite(value)))
    throw new RangeError(`clock: ${what}, a finite number from 0 on, are required, got ${value}`);
  return value;
}

function requireGoing(signal: AbortSignal | undefined, now: number): void {
  if (!stopAsked(signal)) return;
  throw new Interrupted(`simulate: stopped after ${now.toPrecision(4)} simulated seconds`);
}
