/** The process behind `workers`: trains the cell it is told of and tells what happens. Started by processes.ts. */
import { readFileSync } from "node:fs";
import { decode } from "../../engine/index.ts";
import type { TrainEvent } from "../../train/events.ts";
import { eventsOf } from "../cells.ts";
import type { Order, Report } from "../processes.ts";
import { type Parcel, unpacked } from "./parcel.ts";

/** Milliseconds between reports. */
const pause = 100;

if (process.send !== undefined) {
  const stop = new AbortController();
  process.on("message", (order: Order) => {
    if ("stop" in order) stop.abort();
    else void work(order.parcel, stop.signal);
  });
  process.on("disconnect", () => stop.abort()); // nobody is left to train for; what was done is recorded
}

async function work(file: string, signal: AbortSignal): Promise<void> {
  let events: TrainEvent[] = [];
  let told = performance.now();
  const tell = async (report: Report): Promise<void> => {
    if (process.connected) await new Promise<void>((resolve) => process.send!(report, () => resolve()));
  };
  try {
    for await (const event of eventsOf(unpacked(decode(readFileSync(file)) as Parcel), signal)) {
      events.push(event);
      if (performance.now() - told < pause) continue;
      await tell({ events });
      events = [];
      told = performance.now();
    }
    await tell({ events });
  } catch (error) {
    await tell({ events });
    const { name, message } = error as Error;
    await tell({ error: { name, message } });
  }
  process.exit(0);
}
