import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blobs, classes, ewc, mlp, replay, type Study, sgd, type TrainEvent } from "thalweg";

/** A folder for records that is removed when the tests of a file are over. */
export function temporary(): { readonly folder: string; clear(): void } {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-test-"));
  return { folder, clear: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A small study with state in every corner: a buffer, a penalty, momentum. */
export function small(): Study {
  return classes(blobs({ classes: 6, dimensions: 8, perClass: 60 }))
    .split(3)
    .learn(mlp({ hidden: [16] }))
    .by(replay({ capacity: 30 }), ewc({ lambda: 5, samples: 10 }))
    .with(sgd({ lr: 0.1, momentum: 0.9 }))
    .train({ batch: 5, epochs: 4 });
}

/** Events without their wall-clock times. */
export function timeless(events: readonly TrainEvent[]): TrainEvent[] {
  return events.map((event) => ("seconds" in event ? { ...event, seconds: 0 } : event));
}

/** The folders of runs in a store. */
export function runFolders(store: string): string[] {
  return readdirSync(store)
    .filter((name) => name.includes("-seed"))
    .map((name) => join(store, name));
}
