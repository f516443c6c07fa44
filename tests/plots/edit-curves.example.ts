import { editCurves } from "../../lib/plots/edit-curves.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { randomly } from "./runs.ts";

const edits = 12;

/** A run on a stream of edits in two phrases: what is written fades, and so does the rest. */
function edited(seed: number, { keeps, harms }: { readonly keeps: number; readonly harms: number }): TrainEvent[] {
  const random = randomly(seed + 1);
  const share = (x: number): number => Math.min(1, Math.max(0, x + (random() - 0.5) * 0.06));
  return Array.from({ length: edits + 1 }, (_, after) =>
    Array.from({ length: 2 * edits + 1 }, (_, on): TrainEvent => {
      const edit = on > edits ? on - edits : on;
      const written = edit > after ? 0.05 : keeps ** (after - edit) * (on > edits ? 0.8 : 1);
      const accuracy = share(on === 0 ? harms ** after : written);
      const counted = { examples: 10, accuracy, taskAware: accuracy, taskAgnostic: accuracy, loss: 1 };
      return { type: "evaluated", at: "experience", step: 100, after, on, ...counted };
    }),
  ).flat();
}

export default () =>
  editCurves({
    rome: [0, 1, 2].map((seed) => edited(seed, { keeps: 0.75, harms: 0.82 })),
    memit: [3, 4, 5].map((seed) => edited(seed, { keeps: 0.97, harms: 0.97 })),
  });
