import { needWhole, withDefaults } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import { blocksIn, piecesOf } from "../models/parts/pieces.ts";
import { type Stepper, stepping } from "../models/stepping.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { reorder } from "./reorder.ts";

/** What `speculate` can be told. */
export interface SpeculateOptions {
  /** How many of the first blocks write the draft. Default: half of them. */
  readonly exit?: number;
  /** Tokens that are drafted before the whole network checks them; default 4. */
  readonly draft?: number;
  /** Tokens to write; default 16. */
  readonly tokens?: number;
}

/** What was written, and what it took. */
export interface Speculated {
  /** The tokens, those that the whole network alone would have written. */
  readonly tokens: readonly number[];
  /** The share of the drafted tokens that the whole network agreed with. */
  readonly accepted: number;
  /** How often the whole network was asked: once for each draft, and at the beginning. */
  readonly checks: number;
  /**
   * Blocks that had to be passed one after the other, as many tokens at once counting as one, over those that the whole network alone passes. Blocks
   * that the draft has passed are not passed again for the check.
   */
  readonly passes: number;
}

/**
 * Writes with the first blocks of a transformer and lets all of them check: the most probable tokens, as the whole network writes them, with fewer passes.
 *
 * A draft of some tokens is written by the first `exit` blocks and the network's last layers. The whole network reads it at once; the tokens up to the
 * first that it would not have written are kept, and in the place of that one its own. Networks trained by `layerSkip` draft well.
 *
 * Elhoushi et al. 2024, "LayerSkip", arXiv:2404.16710, section 4.3 (self-speculative decoding).
 * Differs from the paper: the draft and the whole network keep keys and values of their own, though what is counted is as if the first blocks' were shared.
 *
 * @throws RangeError for an empty prompt or an exit beyond the blocks; TypeError for a network that does not go place by place.
 *
 * @example
 * ```ts
 * import { expand, gpt, network, random, trained } from "thalweg";
 * const model = gpt({ tokens: 9, width: 8, depth: 2, heads: 2 });
 * const made = trained({ model, input: [12], weights: network(model, [12]).init(random(0), 9) });
 * expand.speculate(made, [1, 2], { exit: 1, draft: 2, tokens: 5 }).tokens.length; // 5
 * ```
 */
export function speculate(
  network: TrainedNetwork,
  prompt: readonly number[],
  options: SpeculateOptions = {},
): Speculated {
  const count = blocksIn("expand.speculate", piecesOf("expand.speculate", network)).length;
  const { exit, draft, tokens } = withDefaults<Required<SpeculateOptions>>("expand.speculate", options, {
    exit: Math.ceil(count / 2),
    draft: 4,
    tokens: 16,
  });
  for (const [what, value] of Object.entries({ exit, draft, tokens })) needWhole("expand.speculate", what, value);
  if (exit >= count)
    throw new RangeError(`expand.speculate: an exit before the last of ${count} blocks is required, got ${exit}`);
  if (prompt.length === 0)
    throw new RangeError("expand.speculate: a prompt of at least one token is required, got none");
  const early = reorder(
    network,
    Array.from({ length: exit }, (_, i) => i),
  ).network;
  const [drafter, whole] = [stepping(early), stepping(network)];
  const written: number[] = [];
  let [drafted, agreed, checks, passes] = [0, 0, 1, count];
  const first = said(whole, prompt).at(-1)!;
  said(drafter, prompt);
  written.push(first);
  let last = first;
  while (written.length < tokens) {
    const length = Math.min(draft, tokens - written.length);
    const guess: number[] = [];
    const ahead = drafter.fork();
    for (let i = 0, now = last; i < length; i++) {
      now = said(ahead, [now])[0]!;
      guess.push(now);
    }
    ahead.dispose();
    const check = whole.fork();
    const wanted = said(check, [last, ...guess]);
    check.dispose();
    const right = guess.findIndex((token, i) => token !== wanted[i]);
    const kept = right < 0 ? length : right;
    const next = wanted.slice(0, kept + 1).slice(0, tokens - written.length);
    drafted += length;
    agreed += kept;
    checks++;
    // the last drafted token has not passed the first blocks yet
    passes += length * exit + count;
    const seen = [last, ...guess.slice(0, kept)];
    said(whole, seen);
    said(drafter, seen);
    written.push(...next);
    last = next.at(-1)!;
  }
  for (const each of [drafter, whole]) each.dispose();
  early.dispose();
  return {
    tokens: written,
    accepted: drafted === 0 ? 0 : agreed / drafted,
    checks,
    passes: passes / (count * written.length),
  };
}

/** The most probable token after each of some tokens. */
function said(stepper: Stepper, tokens: readonly number[]): readonly number[] {
  const logits = stepper.read([tokens]);
  const best = tf.argMax(logits, -1);
  const found = [...best.dataSync()];
  tf.dispose([logits, best]);
  return found;
}
