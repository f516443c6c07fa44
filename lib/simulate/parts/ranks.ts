/** Virtual ranks: processes that hold parts of arrays, and what they do together. */

import type { Figure } from "../../plots/figure.ts";
import { machineTimeline } from "../../plots/machine-timeline.ts";
import { type Clock, clock, type Link, type Machine, type Process } from "../clock.ts";

/** What ranks are. */
export interface RankOptions {
  /** How many there are. */
  readonly ranks: number;
  /** Multiplications and additions that one does in a second. Default 1e12. */
  readonly flops?: number;
  /** The lines between ranks. Default: latency of 5 µs, 100 GB in a second. */
  readonly link?: Link | ((from: number, to: number) => Link);
  /** Bytes of a number on its way. Default 4. */
  readonly numberBytes?: number;
}

/** What ranks came to. */
export interface Ranked {
  /** The whole output, in the order of the input. */
  readonly output: Float32Array;
  /** Simulated seconds. */
  readonly seconds: number;
  /** Bytes that each rank has sent. */
  readonly bytes: readonly number[];
  /** Seconds that each rank worked. */
  readonly work: readonly number[];
  /** Who worked, sent and waited when. */
  timeline(): Figure;
}

/** One of the ranks as its program sees it. */
export interface Rank extends Machine {
  /** Works for so many multiplications and additions. */
  compute<T>(flops: number, what: string, job: () => T): Process<T>;
  /** Sends numbers to a rank. */
  give(to: number, tag: string, numbers: Float32Array): void;
  /** Numbers of a rank. */
  get(from: number, tag: string): Process<Float32Array>;
}

/** Runs a program on every rank and puts their parts of the output together, the first rank's first. */
export async function onRanks(
  { ranks, flops = 1e12, link = { latency: 5e-6, bandwidth: 1e11 }, numberBytes = 4 }: RankOptions,
  program: (me: Rank) => Process<Float32Array>,
): Promise<Omit<Ranked, "output"> & { readonly parts: readonly Float32Array[] }> {
  const names = Array.from({ length: ranks }, (_, k) => `rank ${k}`);
  const time: Clock = clock({ machines: names, link });
  const parts: Float32Array[] = new Array(ranks);
  for (let k = 0; k < ranks; k++)
    time.spawn(k, function* (machine) {
      parts[k] = yield* program(rankOf(machine, flops, numberBytes));
    });
  await time.run();
  const totals = time.totals();
  return {
    parts,
    seconds: time.now,
    bytes: totals.map(({ bytesSent }) => bytesSent),
    work: totals.map(({ work }) => work),
    timeline: () => machineTimeline(time.spans, names),
  };
}

function rankOf(me: Machine, flops: number, numberBytes: number): Rank {
  return {
    ...me,
    get now() {
      return me.now;
    },
    compute: (count, what, job) => me.work(count / flops, what, job),
    give: (to, tag, numbers) => me.send(to, `${tag}#${me.index}`, numbers, numberBytes * numbers.length),
    *get(from, tag) {
      return (yield* me.receive<Float32Array>(`${tag}#${from}`)).body;
    },
  };
}

/** Each of a group gives each other a part; what comes back is in the order of the group, its own part among it. */
export function* allToAll(
  me: Rank,
  group: readonly number[],
  tag: string,
  parts: readonly Float32Array[],
): Process<Float32Array[]> {
  const own = group.indexOf(me.index);
  for (let k = 1; k < group.length; k++) {
    const to = (own + k) % group.length;
    me.give(group[to]!, tag, parts[to]!);
  }
  const out: Float32Array[] = [];
  for (const [k, from] of group.entries()) out[k] = k === own ? parts[own]! : yield* me.get(from, tag);
  return out;
}

/** Throws unless a length falls into equal parts. */
export function requireParts(where: string, what: string, length: number, parts: number): number {
  if (!Number.isInteger(length / parts) || parts < 1)
    throw new RangeError(`${where}: ${what} that ${parts} divides is required, got ${length}`);
  return length / parts;
}
