import { asTable, type Buffer, emptyBuffer } from "../parts/buffer.ts";
import { offerTable } from "../parts/episodes.ts";
import { fresh } from "../parts/fresh.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import { requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly buffer: Buffer | null;
}

/**
 * GDumb: keeps a balanced memory and, when asked, trains a new network on the memory alone.
 *
 * After each experience's examples have been offered to a class-balanced memory, the network and the optimizer begin anew and are trained
 * on the memory for the run's epochs: a reference that learns nothing from one experience to the next.
 *
 * Prabhu, Torr and Dokania 2020, "GDumb: a simple approach that questions our progress in continual learning", algorithm 1.
 * Differs from the paper: within a class a reservoir decides what stays, where the paper keeps what came first; no CutMix and no learning
 * rate schedule of its own; give the run one (for example cosine).
 *
 * @example
 * ```ts
 * import { gdumb } from "thalweg";
 * gdumb({ capacity: 500 });
 * ```
 */
export const gdumb = strategy(
  "gdumb",
  {
    /** Examples kept. */
    capacity: 200,
  },
  ({ capacity }) => {
    requireWhole("gdumb", "capacity", capacity, 1);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: (): Memory => ({ buffer: null }),
      beforeExperience({ buffer: held }: Memory, { train, task, index }, context) {
        const buffer = held ?? emptyBuffer(capacity, train);
        offerTable(buffer, train, task, "classBalanced", context.rng.at("keep", index));
        return { buffer, ...fresh(context) };
      },
      batch: tasksByColumn,
      data: ({ buffer }: Memory) => asTable(buffer!),
    };
  },
  ["boundary"],
);
