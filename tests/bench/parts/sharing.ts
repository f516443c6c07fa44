/** The studies of networks with smaller ones inside of them, of shared layers and of modules that are trained apart, by row. */
import {
  apollo,
  distil,
  expand,
  from,
  layerSkip,
  type Model,
  mlp,
  net,
  selfDistil,
  supernet,
  type TrainedNetwork,
  type tf,
  tieLayers,
  vit,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracy, all, bands, each, few, learnt, mean, scores, seeds } from "./growing.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const wide = mlp({ hidden: [32, 32] }) as Model;
const widths = [0.25, 0.5, 1];
const cut = (networks: readonly TrainedNetwork[], share: number): TrainedNetwork[] =>
  networks.map((network) => expand.slice(network, { widths: share }).network);
const block = (depth: number): Model => vit({ patch: 4, width: 16, depth, heads: 2, widen: 2, pool: "mean" }) as Model;

/** P385: children that are cut out and not trained. */
async function sandwich(): Promise<Study> {
  const own = await learnt(wide, 300, { by: [supernet({ widths })] });
  const labels = await learnt(wide, 300, { by: [supernet({ widths, distil: false })] });
  const plain = await learnt(wide, 300);
  const separate = await learnt(mlp({ hidden: [8, 8] }) as Model, 300);
  const found = {
    "whole, with parts": scores(own),
    "whole, alone": scores(plain),
    "a quarter, cut out": scores(cut(own, 0.25)),
    "a quarter, cut out, taught by labels": scores(cut(labels, 0.25)),
    "a quarter, cut out of one that learnt alone": scores(cut(plain, 0.25)),
    "a quarter, trained by itself": scores(separate),
  };
  return {
    headline:
      "Parts that are cut out of a network which was trained with them are as good as ones that were trained by themselves",
    outcome: outcomeOf(apart(found["a quarter, cut out"], found["a quarter, trained by itself"]), -0.01),
    figures: bands(found),
    seeds,
  };
}

/** P386: when parts join. */
async function delayed(): Promise<Study> {
  const by = (delay: number, warm = 0) => learnt(wide, 300, { by: [supernet({ widths, delay, warm })] });
  const [early, half, late] = [await by(0), await by(0.5, 0.1), await by(0.85)];
  const found = {
    "whole, parts from the beginning": scores(early),
    "whole, parts from half": scores(half),
    "whole, parts at the end": scores(late),
    "a quarter, parts from the beginning": scores(cut(early, 0.25)),
    "a quarter, parts from half": scores(cut(half, 0.25)),
    "a quarter, parts at the end": scores(cut(late, 0.25)),
  };
  return {
    headline:
      "Parts that join half way are as good as ones that are there from the beginning at a lower cost, and better than ones that join at the end",
    outcome: allOf(
      outcomeOf(apart(found["a quarter, parts from half"], found["a quarter, parts from the beginning"]), -0.01),
      outcomeOf(apart(found["a quarter, parts from half"], found["a quarter, parts at the end"])),
    ),
    // a step with parts is four passes, one without is one
    figures: { ...bands(found), "passes, share of those from the beginning": (0.5 + 0.5 * 4) / 4 },
    seeds,
  };
}

/** P123: many networks at once. */
async function sorted(): Promise<Study> {
  const shares = [0.25, 0.5, 0.75, 1];
  const own = await learnt(wide, 300, {
    by: [supernet({ widths: shares, sampling: "random", samples: 2, distil: false })],
  });
  const alone: number[][] = [];
  for (const share of shares) alone.push(scores(await learnt(mlp({ hidden: [32 * share, 32 * share] }) as Model, 300)));
  const parts = shares.map((share) => scores(cut(own, share)));
  const kept = Array.from({ length: seeds }, (_, i) => mean(parts.map((of, k) => of[i]! / alone[k]![i]!)));
  return {
    headline: "Networks that were trained at once, one inside of the other, keep 96% of what each comes to by itself",
    outcome: outcomeOf(kept, 0.96),
    figures: {
      "share of the accuracy of networks by themselves": band(kept),
      ...Object.fromEntries(shares.map((share, k) => [`accuracy, ${share} of the units`, band(parts[k]!)])),
    },
    seeds,
  };
}

/** P040: the best parts of a network that was tuned to be cut. */
async function searched(): Promise<Study> {
  const plain = await learnt(wide, 200);
  const tuned = await each(plain, (network, i) =>
    learnt(from(network, { head: "keep" }), 150, {
      by: [supernet({ widths: [0.25, 0.5, 0.75, 1] })],
      count: 1,
      first: i,
    }),
  );
  const found: Record<string, number[]> = { "whole, before": scores(plain) };
  const data = few.experience(0).train;
  const sizes: number[] = [];
  for (const [i, network] of tuned.entries()) {
    const { front } = expand.search(network, data, { generations: 6 });
    const fits = front.filter(({ parameters }) => parameters <= network.parameters / 1.5);
    const best = fits.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
    sizes.push(network.parameters / best.parameters);
    (found["two thirds of the size, found"] ??= []).push(accuracy(expand.slice(network, best).network));
    (found["as small, cut out before tuning"] ??= []).push(
      accuracy(expand.slice(plain[i]!, { widths: best.widths }).network),
    );
  }
  return {
    headline:
      "A part of two thirds of the size that evolution finds in a network tuned to be cut is as good as the whole, and better than units pruned",
    outcome: allOf(
      outcomeOf(apart(found["two thirds of the size, found"]!, found["whole, before"]!), -0.01),
      outcomeOf(apart(found["two thirds of the size, found"]!, found["as small, cut out before tuning"]!)),
    ),
    figures: { ...bands(found), "times smaller": band(sizes) },
    seeds,
  };
}

/** P247: what is answered half way. */
async function skipped(): Promise<Study> {
  const [plain, own] = [
    await learnt(block(4), 200),
    await learnt(block(4), 200, { by: [layerSkip({ scale: 1, curriculum: "all" })] }),
  ];
  const at = (networks: readonly TrainedNetwork[], k: number): number[] =>
    scores(networks.map((network) => expand.exit(network, k).network));
  const found = {
    "all blocks": at(plain, 3),
    "two of four": at(plain, 1),
    "all blocks, layerSkip": at(own, 3),
    "two of four, layerSkip": at(own, 1),
  };
  return {
    headline: "A transformer trained to be left early answers better half way, and as well at its end",
    outcome: allOf(
      outcomeOf(apart(found["two of four, layerSkip"], found["two of four"])),
      outcomeOf(apart(found["all blocks, layerSkip"], found["all blocks"]), -0.02),
    ),
    figures: bands(found),
    seeds,
  };
}

/** P355: one run for several depths. */
async function taughtBelow(): Promise<Study> {
  const own = await learnt(block(4), 200, { by: [selfDistil({ exits: [0, 1] })] });
  const labels = await learnt(block(4), 200, { by: [selfDistil({ exits: [0, 1], weight: 0 })] });
  const short = await learnt(block(2), 200);
  const at = (networks: readonly TrainedNetwork[], k: number): number[] =>
    scores(networks.map((network) => expand.exit(network, k).network));
  const found = {
    "first two blocks, taught by deeper exits": at(own, 1),
    "first two blocks, taught by labels alone": at(labels, 1),
    "a network of two blocks": scores(short),
    "whole, with exits": at(own, 3),
  };
  return {
    headline: "Exits that deeper ones teach are better than a network that ends there, in one run",
    outcome: outcomeOf(apart(found["first two blocks, taught by deeper exits"], found["a network of two blocks"])),
    figures: bands(found),
    seeds,
  };
}

const stem = () => net().patches(4).dense(16).positions();
const shared = (): Model =>
  stem()
    .shared(2, (n) => n.transformer(2, { widen: 2, causal: false }))
    .shared(2, (n) => n.transformer(2, { widen: 2, causal: false }))
    .layerNorm()
    .globalPool() as unknown as Model;
const deep = (depth: number): Model =>
  stem()
    .repeat(depth, (n) => n.transformer(2, { widen: 2, causal: false }))
    .layerNorm()
    .globalPool() as unknown as Model;

/** P424: networks of any depth that begin from shared layers. */
async function learngenes(): Promise<Study> {
  const [teacher] = await learnt(block(4), 400, { stream: all, count: 1, first: 50 });
  const small = await learnt(shared(), 200, { by: [distil({ teacher: teacher!, weight: 0.7 })] });
  const grown = small.map((network) => expand.stages(network, [3, 3]).network);
  const tuned = await each(grown, (network, i) => learnt(from(network, { head: "keep" }), 40, { count: 1, first: i }));
  const found = {
    "six blocks from shared layers, 40 steps": scores(tuned),
    "six blocks anew, 40 steps": scores(await learnt(deep(6), 40)),
    "six blocks anew, 240 steps": scores(await learnt(deep(6), 240)),
  };
  return {
    headline:
      "A deep network that begins from shared layers of its stages is better after a little tuning than one trained for long from nothing",
    outcome: allOf(
      outcomeOf(apart(found["six blocks from shared layers, 40 steps"], found["six blocks anew, 40 steps"])),
      outcomeOf(apart(found["six blocks from shared layers, 40 steps"], found["six blocks anew, 240 steps"]), -0.02),
    ),
    figures: bands(found),
    seeds,
  };
}

/** P254: fewer blocks, gone through twice. */
async function rounds(): Promise<Study> {
  const whole = await learnt(block(4), 250);
  const go = (rank: number) =>
    each(
      whole.map((network) => expand.recursive(network, { blocks: 2, rank }).network),
      (network, i) => learnt(from(network, { head: "keep" }), 60, { count: 1, first: i }),
    );
  const [plain, relaxed] = [await go(0), await go(2)];
  const found = {
    "four blocks": scores(whole),
    "two blocks twice": scores(plain),
    "two blocks twice, rank 2": scores(relaxed),
    "two blocks once, as long": scores(await learnt(block(2), 310)),
  };
  return {
    headline:
      "Two blocks gone through twice, with what each round needs of its own, come near to four, and are better than two",
    outcome: allOf(
      outcomeOf(apart(found["two blocks twice, rank 2"], found["two blocks once, as long"])),
      outcomeOf(apart(found["two blocks twice, rank 2"], found["four blocks"]), -0.02),
    ),
    figures: {
      ...bands(found),
      "parameters, share of four blocks": Number((relaxed[0]!.parameters / whole[0]!.parameters).toFixed(3)),
    },
    seeds,
  };
}

/** Modules for both slots of a meta network, each trained apart, put together and tuned. */
async function modules(meta: TrainedNetwork, seed: number, teacher: TrainedNetwork | null): Promise<TrainedNetwork[]> {
  const trained: expand.TrainedModule[] = [];
  for (const slot of [0, 1]) {
    const { network, module } = expand.incubate(meta, { slot, depth: 2, seed });
    const model = from(network, { head: "keep" })
      .trainOnly([...module])
      .freeze("head");
    const whole =
      teacher && expand.incubate(meta, { slot, of: { network: teacher, from: 2 * slot, to: 2 * slot + 2 } }).network;
    const by = whole === null ? [] : [distil({ teacher: whole, weight: 0.5 })];
    const [own] = await learnt(model as Model, 80, { by, count: 1, first: seed });
    trained.push({ network: own!, slot, module });
  }
  const { network } = expand.assemble(meta, trained);
  return learnt(from(network, { head: "keep" }), 40, { count: 1, first: seed });
}

/** P298: modules that are trained apart. */
async function assembled(): Promise<Study> {
  const metas = await learnt(block(2), 120);
  const found = {
    "four blocks, put together of modules": scores(await each(metas, (meta, i) => modules(meta, i, null))),
    "four blocks, end to end, as many steps of the whole": scores(await learnt(block(4), 200)),
  };
  return {
    headline:
      "A network put together of modules that were trained apart is better than one trained end to end at no smaller cost",
    outcome: outcomeOf(
      apart(
        found["four blocks, put together of modules"],
        found["four blocks, end to end, as many steps of the whole"],
      ),
    ),
    figures: bands(found),
    seeds,
  };
}

/** P398: modules that a teacher's modules teach. */
async function moduleByModule(): Promise<Study> {
  const metas = await learnt(block(2), 120);
  const [teacher] = await learnt(block(4), 400, { stream: all, count: 1, first: 60 });
  const found = {
    "modules taught by modules": scores(await each(metas, (meta, i) => modules(meta, i, teacher!))),
    "modules, labels alone": scores(await each(metas, (meta, i) => modules(meta, i, null))),
    "end to end": scores(await learnt(block(4), 200)),
    "end to end, taught by the whole": scores(await learnt(block(4), 200, { by: [distil({ teacher: teacher! })] })),
  };
  return {
    headline:
      "Modules that learn from a teacher's modules in the same meta network make a better network than training end to end",
    outcome: outcomeOf(apart(found["modules taught by modules"], found["end to end"])),
    figures: bands(found),
    seeds,
  };
}

/** P156: tied blocks. */
async function tied(): Promise<Study> {
  const [plain, own] = [await learnt(block(4), 240), await learnt(block(4), 240, { by: [tieLayers()] })];
  const distinct = own.map(({ weights }) => {
    const kernels = [1, 2, 3, 4].map((k) => {
      const { up } = weights.model[`block${k}`] as unknown as { readonly up: { readonly kernel: tf.Tensor } };
      return up.kernel.dataSync().join();
    });
    return new Set(kernels).size / 4;
  });
  const found = { "four blocks": scores(plain), "four blocks, tied while learning": scores(own) };
  return {
    headline: "Blocks that are tied while learning are at least as good, with far fewer weights to train",
    outcome: allOf(
      outcomeOf(apart(found["four blocks, tied while learning"], found["four blocks"]), -0.01),
      outcomeOf(distinct.map((share) => 0.75 - share)),
    ),
    figures: { ...bands(found), "share of blocks with weights of their own": band(distinct) },
    seeds,
  };
}

/** P159: from two blocks to six. */
async function progressive(): Promise<Study> {
  const [plain, lessons] = [await learnt(block(2), 160), await learnt(block(2), 160, { by: [apollo({ depth: 6 })] })];
  const go = (networks: readonly TrainedNetwork[], by: "interpolation" | "stacking") =>
    each(
      networks.map((network) => expand.interpolate(network, 6, { by }).network),
      (network, i) => learnt(from(network, { head: "keep" }), 40, { count: 1, first: i }),
    );
  const found = {
    "lessons, interpolated to six blocks": scores(await go(lessons, "interpolation")),
    "stacked to six blocks": scores(await go(plain, "stacking")),
    "six blocks anew, 40 steps": scores(await learnt(block(6), 40)),
  };
  return {
    headline: "A shallow network that learns to be deep, interpolated, learns on better than one that is stacked",
    outcome: outcomeOf(apart(found["lessons, interpolated to six blocks"], found["stacked to six blocks"])),
    figures: bands(found),
    seeds,
  };
}

/** P389: networks of blocks of two small ones. */
async function pool(): Promise<Study> {
  const [teacher] = await learnt(block(4), 400, { stream: all, count: 1, first: 70 });
  const wider = vit({ patch: 4, width: 24, depth: 3, heads: 2, widen: 2, pool: "mean" });
  const by = [distil({ teacher: teacher!, weight: 0.7 })];
  const [small, large] = [await learnt(block(3), 160, { by }), await learnt(wider, 160, { by })];
  const [smallAlone, largeAlone] = [await learnt(block(3), 160), await learnt(wider, 160)];
  const data = few.experience(0).train;
  const stitched = (a: readonly TrainedNetwork[], b: readonly TrainedNetwork[]) =>
    each(
      a.map((network, i) => expand.stitch(network, b[i]!, data, { after: 2, from: 2 }).network),
      (network, i) => learnt(from(network, { head: "keep" }), 40, { count: 1, first: i }),
    );
  const found = {
    "stitched of two that one teacher taught": scores(await stitched(small, large)),
    "stitched of two that learnt alone": scores(await stitched(smallAlone, largeAlone)),
    "three blocks anew, 40 steps": scores(await learnt(block(3), 40)),
  };
  return {
    headline:
      "Networks stitched of small ones that one teacher taught are better than ones stitched of networks that learnt by themselves",
    outcome: outcomeOf(
      apart(found["stitched of two that one teacher taught"], found["stitched of two that learnt alone"]),
    ),
    figures: bands(found),
    seeds,
  };
}

export const sharing: Record<string, () => Promise<Study>> = {
  P385: sandwich,
  P386: delayed,
  P123: sorted,
  P040: searched,
  P247: skipped,
  P355: taughtBelow,
  P424: learngenes,
  P254: rounds,
  P298: assembled,
  P398: moduleByModule,
  P156: tied,
  P159: progressive,
  P389: pool,
};
