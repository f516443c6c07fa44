/** How long clients take, and who never answers. */
import { needShare } from "../../data/options.ts";
import type { Rng } from "../../engine/index.ts";
import { type Delay, delayOf, requireDelay } from "./delay.ts";

/** What clients' times are made of. */
export interface TimingOptions {
  /** Seconds that a client works for each example it trains on. Default 0.001. */
  readonly perExample?: number;
  /** Seconds besides, for each time it is asked. Default 0. */
  readonly perTurn?: number;
  /** Random seconds besides. Default none. */
  readonly delay?: Delay;
  /** By how much a client is slower than the others, by its number or as a function of it. */
  readonly slower?: { readonly [client: number]: number } | ((client: number) => number);
  /** The probability that a client who was asked never answers. Default 0. */
  readonly lost?: number;
}

/** Clients' times for one run. */
export interface Timing {
  /** Seconds that a client takes for so many examples when it is asked for the `k`-th time. */
  seconds(client: number, examples: number, k: number): number;
  /** Whether a client never answers when it is asked for the `k`-th time. */
  loses(client: number, k: number): boolean;
}

/** Checks the times; gives those of a run by its randomness. */
export function timing(
  where: string,
  { perExample = 0.001, perTurn = 0, delay, slower = {}, lost = 0 }: TimingOptions,
): (drawn: Rng) => Timing {
  needShare(where, "lost", lost);
  requireDelay(where, delay);
  for (const [what, value] of Object.entries({ perExample, perTurn }))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new RangeError(`${where}: a finite number from 0 on is required for ${what}, got ${value}`);
  const factor = typeof slower === "function" ? slower : (client: number) => slower[client] ?? 1;
  return (drawn) => ({
    seconds: (client, examples, k) =>
      (perTurn + perExample * examples + delayOf(delay, drawn.at("delay", client, k))) * factor(client),
    loses: (client, k) => lost > 0 && drawn.at("lost", client, k).uniform() < lost,
  });
}
