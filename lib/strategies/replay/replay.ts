import {
  type Buffer,
  type Deck,
  deal,
  draw,
  emptyBuffer,
  type Keep,
  keeps,
  offer,
  recall,
  withRows,
} from "../parts/buffer.ts";
import { type Episodes, offerTable, requireShares, withEpisode } from "../parts/episodes.ts";
import { withoutClasses } from "../parts/forgetting.ts";
import { requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  buffer: Buffer | null;
  /** The memory in place of `buffer` where each experience has its share. */
  episodes: Episodes | null;
  deck: Deck;
}

const emptyDeck = (): Deck => ({ left: new Uint32Array(0) });

/**
 * Experience replay: every batch is joined by examples drawn from a memory of the past.
 *
 * One mean cross-entropy over the batch and the drawn examples. The current examples are offered to the memory after the draw, so an
 * example is never replayed beside itself; with `fill: "boundary"` they are offered when their experience ends. Examples are kept as raw
 * bytes. While the memory holds fewer than `draw` examples all of them are drawn.
 *
 * Rolnick et al. 2019, arXiv:1811.11682; Chaudhry et al. 2019, arXiv:1902.10486, algorithm 1. `weighting: "tasks"` is that of van de Ven
 * et al. 2022; `sampling: "reshuffled"` is Fujita 2025, arXiv:2503.02269.
 * Differs from the paper: none known for the reservoir.
 *
 * Implements: P278 ER with random reshuffling
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
    /**
     * Which examples stay when the memory is full: `reservoir` (uniform over all that was seen), `classBalanced` (the largest class makes
     * room) or `perExperience` (every experience of the stream has the same share from the start; goes with `fill: "boundary"`).
     */
    keep: "reservoir" as Keep | "perExperience",
    /** When examples are offered to the memory: after each batch or after each experience. */
    fill: "stream" as "stream" | "boundary",
    /** How examples are drawn: independently for each batch, or each once before any comes again. */
    sampling: "random" as "random" | "reshuffled",
    /** Whether every row weighs the same, or the batch 1/t and the drawn examples 1 − 1/t in the t-th experience. */
    weighting: "equal" as "equal" | "tasks",
  },
  ({ capacity, draw: drawn, keep, fill, sampling, weighting }) => {
    requireWhole("replay", "capacity", capacity, 1);
    requireWhole("replay", "draw", drawn, 0);
    requireOneOf("replay", "keep", keep, [...keeps, "perExperience"]);
    requireOneOf("replay", "fill", fill, ["stream", "boundary"]);
    requireOneOf("replay", "sampling", sampling, ["random", "reshuffled"]);
    requireOneOf("replay", "weighting", weighting, ["equal", "tasks"]);
    if (keep === "perExperience" && fill !== "boundary")
      throw new TypeError(`replay: keep "perExperience" goes with fill "boundary", got fill "${fill}"`);
    const shareOf = (rows: number, joined: number, experience: number): number =>
      weighting === "equal" || joined === 0 ? 1 : (experience * rows) / joined;
    return {
      tokens: true,
      init({ stream }): Memory {
        if (keep === "perExperience") requireShares("replay", capacity, stream);
        return { buffer: null, episodes: null, deck: emptyDeck() };
      },
      forget: (memory: Memory, columns): Memory => ({
        ...(withoutClasses(memory, columns) as Memory),
        deck: emptyDeck(),
      }),
      batch(memory: Memory, batch, { rng, step, experience }) {
        if (fill === "stream") memory.buffer ??= emptyBuffer(capacity, batch.from);
        const buffer = memory.episodes?.buffer ?? memory.buffer;
        if (buffer === null) return batch;
        const count = drawn || batch.current;
        const places =
          sampling === "random"
            ? draw(buffer, count, rng.at("draw", step))
            : deal(memory.deck, buffer, count, rng.at("draw", step));
        const weight = shareOf(batch.current, places.length, experience);
        const joined = places.length === 0 ? batch : withRows(batch, recall(buffer, places), { weight });
        if (fill === "stream") offer(buffer, batch, keep as Keep, rng.at("keep", step));
        return joined;
      },
      ...(fill === "boundary" && {
        afterExperience(memory: Memory, { train, task, index }, context): Memory {
          if (train.length === 0) return memory;
          if (keep === "perExperience")
            return { ...memory, episodes: withEpisode(memory.episodes, capacity, train, task, context).episodes };
          const buffer = memory.buffer ?? emptyBuffer(capacity, train);
          offerTable(buffer, train, task, keep, context.rng.at("keep", index));
          return { ...memory, buffer };
        },
      }),
    };
  },
);
