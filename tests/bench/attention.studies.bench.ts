/**
 * Studies of rows of the systems catalogue that are parts of transformers: `npx tsx tests/bench/attention.studies.bench.ts`, or some of them
 * alone, by their rows. A quarter of an hour for all.
 */
import { type GptOptions, gpt, type Model, net, network, random, stepping, trained } from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { heldOutLosses, type Language, tokens } from "./parts/language.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 4;
const small = { tokens, width: 32, depth: 3, heads: 4 } as const;
const plain: GptOptions = { ...small, positions: "rotary", normalisation: "rms" };

const of = (options: GptOptions, given: Omit<Language, "seeds"> = {}): number[] =>
  heldOutLosses(gpt({ ...plain, ...options }), { seeds, ...given });
const bands = (found: Readonly<Record<string, readonly number[]>>): Study["figures"] =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [`held-out loss, ${name}`, band(values)]));

/** P113: one head of keys and values beside four. */
function oneHead(): Study {
  const found = { "four heads": of({}), "one head": of({ kvHeads: 1 }) };
  const bytes = (kvHeads: number): number => {
    const model = gpt({ ...plain, kvHeads });
    const stepper = stepping(trained({ model, input: [48], weights: network(model, [48]).init(random(0), tokens) }));
    return stepper.bytes;
  };
  const loss = apart(found["one head"], found["four heads"]).map((more, i) => more / found["four heads"][i]!);
  return {
    headline: "One head of keys and values needs a quarter of the cache at a loss of less than 3% more",
    outcome: outcomeOf(loss.map((more) => 0.03 - more)),
    figures: { ...bands(found), "cache, share": bytes(1) / bytes(4), "loss more, share": band(loss) },
    seeds,
  };
}

/** P245: gated dense layers beside plain ones, as many parameters. */
function gated(): Study {
  const found = Object.fromEntries(
    (["relu", "gelu", "silu", "glu", "bilinear", "reglu", "geglu", "swiglu"] as const).map((activation) => [
      activation,
      of({ activation }),
    ]),
  );
  const best = (names: readonly string[]): number[] =>
    names.map((name) => found[name]!).reduce((a, b) => (band(a).mean < band(b).mean ? a : b));
  return {
    headline: "The best gated dense layers have a lower loss than the best plain ones of as many parameters",
    outcome: outcomeOf(apart(best(["relu", "gelu", "silu"]), best(["glu", "bilinear", "reglu", "geglu", "swiglu"]))),
    figures: bands(found),
    seeds,
  };
}

/** P069: the same number of passes through blocks, given to early or late ones. */
function reuse(): Study {
  const found = {
    "once each": of({}),
    "3, 2, 1 passes": of({ reuse: [3, 2, 1] }),
    "2, 2, 2 passes": of({ reuse: [2, 2, 2] }),
    "1, 2, 3 passes": of({ reuse: [1, 2, 3] }),
  };
  return {
    headline: "Of equally many passes through blocks those are best that are given to the early ones",
    outcome: allOf(
      outcomeOf(apart(found["1, 2, 3 passes"], found["3, 2, 1 passes"])),
      outcomeOf(apart(found["2, 2, 2 passes"], found["3, 2, 1 passes"])),
    ),
    figures: bands(found),
    seeds,
  };
}

/** P258 and P152: blocks that read earlier layers beside such as do not. */
function readsEarlier(blocks: "lime" | "mudd", headline: string): Study {
  const deep = { depth: 5 } as const;
  const found = { "the layer below alone": of(deep), [blocks]: of({ ...deep, blocks }) };
  return {
    headline,
    outcome: outcomeOf(apart(found["the layer below alone"]!, found[blocks]!)),
    figures: bands(found),
    seeds,
  };
}

/** P286: shards of the context beside all of it, and the window alone. */
function sharded(): Study {
  const found = {
    "all of the context": of({}),
    "a window of 8 and shards": of({ window: 8, shards: 4 }),
    "a window of 8": of({ window: 8 }),
  };
  const more = apart(found["a window of 8 and shards"], found["all of the context"]);
  return {
    headline: "Heads that each see a quarter of the context beyond a window lose less than 3%",
    outcome: outcomeOf(more.map((by, i) => 0.03 - by / found["all of the context"][i]!)),
    figures: bands(found),
    seeds,
  };
}

/** P095: vectors of two parts of which one is computed in each block, beside vectors of one part: as many products in the blocks. */
function twoParts(): Study {
  const block = { positions: "rotary", normalisation: "rms" } as const;
  const begun = (width: number) => net().embedding(tokens, width, { positions: false });
  const narrow = begun(32).repeat(4, (n) => n.transformer(4, block));
  const wide = begun(64).repeat(4, (n, i) => n.altUp(2, (inner) => inner.transformer(4, block), { active: i % 2 }));
  const found = Object.fromEntries(
    Object.entries({ "one part of 32": narrow, "two parts of 32, one computed": wide }).map(([name, model]) => [
      name,
      heldOutLosses(model.rmsNorm() as unknown as Model, { seeds }),
    ]),
  );
  const [one, two] = Object.values(found);
  return {
    headline:
      "Vectors twice as wide, of which half is computed in each block, have a lower loss for as much work there",
    outcome: outcomeOf(apart(one!, two!)),
    figures: bands(found),
    seeds,
  };
}

/** P221 and P226: what is told of everything before a window of 8 places, beside the window alone. */
function toldOfMore(which: "blockRecurrent" | "blockState", headline: string): Study {
  const begun = net().embedding(tokens, 32).transformer(4, { window: 8 }).transformer(4, { window: 8 });
  const how = { block: 8, states: 4 } as const;
  const found = Object.fromEntries(
    Object.entries({
      "the window alone": begun.transformer(4, { window: 8 }),
      [which]: which === "blockState" ? begun.blockState(4, how) : begun.blockRecurrent(4, how),
    }).map(([name, model]) => [name, heldOutLosses(model.layerNorm() as unknown as Model, { seeds })]),
  );
  return {
    headline,
    outcome: outcomeOf(apart(found["the window alone"]!, found[which]!)),
    figures: bands(found),
    seeds,
  };
}

const all: Record<string, () => Study | Promise<Study>> = {
  P069: reuse,
  P095: twoParts,
  P113: oneHead,
  P152: () => readsEarlier("mudd", "Blocks that weigh all earlier layers anew at each place have a lower loss"),
  P221: () =>
    toldOfMore(
      "blockRecurrent",
      "A last block with states that go on has a lower loss than one that sees its window alone",
    ),
  P226: () =>
    toldOfMore("blockState", "A last block told by a state space has a lower loss than one that sees its window alone"),
  P245: gated,
  P258: () => readsEarlier("lime", "Keys and values mixed from all earlier layers give a lower loss"),
  P286: sharded,
};
const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries(all)) if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
