import { type Buffer, draw, emptyBuffer, type Keep, offer, recall, withRows } from "./parts/buffer.ts";
import { requireNumber, strategy } from "./strategy.ts";

interface Memory {
  buffer: Buffer | null;
}

/**
 * Experience replay: every batch is joined by examples drawn from a memory of the past.
 *
 * One mean cross-entropy over the batch and the drawn examples, each with the same weight; the current examples are offered to the
 * memory after the draw, so an example is never replayed beside itself. Examples are kept as raw bytes. `keep` says which stay:
 * `reservoir` (uniform over all that was seen) or `classBalanced`.
 *
 * Rolnick et al. 2019, arXiv:1811.11682; Chaudhry et al. 2019, arXiv:1902.10486, algorithm 1.
 * Differs from the paper: none known for the reservoir; while the memory holds fewer than `draw` examples all of them are drawn.
 *
 * @example
 * ```ts
 * import { replay } from "thalweg";
 * replay({ capacity: 500, keep: "classBalanced" });
 * ```
 */
export const replay = strategy(
  "replay",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** Which examples stay when the memory is full. */
    keep: "reservoir" as Keep,
  },
  ({ capacity, draw: drawn, keep }) => {
    requireNumber("replay", "capacity", capacity, 1);
    requireNumber("replay", "draw", drawn, 0);
    if (keep !== "reservoir" && keep !== "classBalanced") {
      throw new TypeError(`replay: keep must be "reservoir" or "classBalanced", got "${keep}"`);
    }
    return {
      init: (): Memory => ({ buffer: null }),
      batch(memory: Memory, batch, { rng, step }) {
        memory.buffer ??= emptyBuffer(capacity, batch.from);
        const buffer = memory.buffer;
        const places = buffer.size === 0 ? [] : draw(buffer, drawn || batch.current, rng.at("draw", step));
        const joined = places.length === 0 ? batch : withRows(batch, recall(buffer, places));
        offer(buffer, batch, keep, rng.at("keep", step));
        return joined;
      },
    };
  },
);
