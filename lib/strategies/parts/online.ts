/** What online replay methods share: a reservoir, and a draw from it joined to every batch. */
import type { Batch, Context } from "../strategy.ts";
import { type Buffer, draw, emptyBuffer, offer, recall, withRows } from "./buffer.ts";

/** A memory that is made with the first batch. */
export interface OnlineMemory {
  buffer: Buffer | null;
}

/** Settings of a draw. */
export interface OnlineDraw {
  readonly name: string;
  readonly capacity: number;
  /** Examples drawn; 0 draws as many as the batch has. */
  readonly draw: number;
  /** The weight of the drawn rows in the task's mean loss. */
  readonly weight: number;
}

/** Joins rows drawn from a reservoir to the batch, under a name, then offers the batch's own rows to the reservoir. */
export function replayed(
  memory: OnlineMemory,
  batch: Batch,
  { name, capacity, draw: drawn, weight }: OnlineDraw,
  context: Context,
): Batch {
  const { rng, step } = context;
  memory.buffer ??= emptyBuffer(capacity, batch.from);
  const places = draw(memory.buffer, drawn || batch.current, rng.at("draw", step));
  const joined = places.length === 0 ? batch : withRows(batch, recall(memory.buffer, places), { name, weight });
  offer(memory.buffer, batch, "reservoir", rng.at("keep", step));
  return joined;
}
