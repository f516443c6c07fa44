/** The first event of a run. */
import type { Stream } from "../../streams/stream.ts";
import type { TrainEvent } from "../events.ts";

/** What a run says of itself before anything is trained. */
export function startOf(stream: Stream, seed: number, parameters: number, device: string): TrainEvent {
  return {
    type: "started",
    seed,
    step: 0,
    experiences: Number.isFinite(stream.length) ? stream.length : null,
    tasks: Number.isFinite(stream.tasks) ? stream.tasks : null,
    head: stream.head,
    parameters,
    device,
  };
}
