/** The process behind a job of a cluster: trains the cell in a file; its record is what it leaves. Started by slurm.ts. */
import { readFileSync } from "node:fs";
import { decode } from "../../engine/index.ts";
import { eventsOf } from "../cells.ts";
import { type Parcel, unpacked } from "./parcel.ts";

const file = process.argv[2];
if (file === undefined) throw new Error("cell: the file of a cell is required, got none");
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort()); // the time is up, or the job was cancelled: the state is saved first
try {
  const { events } = await drained(file);
  console.log(`done: ${events} events`);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

async function drained(path: string): Promise<{ events: number }> {
  let events = 0;
  for await (const _ of eventsOf(unpacked(decode(readFileSync(path)) as Parcel), stop.signal)) events++;
  return { events };
}
