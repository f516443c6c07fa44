/**
 * Studies of rows of the systems catalogue in which networks are made smaller: `npm run bench -- smaller.studies`, or some of them alone:
 * `npx tsx tests/bench/smaller.studies.bench.ts P045 P161`. Minutes for all.
 */
import {
  distil,
  from,
  granet,
  keepZeros,
  maskLora,
  net,
  prune,
  quantise,
  reste,
  type Strategy,
  st3,
  stableRps,
  type TrainedNetwork,
  ternary,
  vit,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { accuracy, each as eachOf, learnt, train } from "./parts/smaller.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 5;
const each = <X>(make: (seed: number) => Promise<X>): Promise<X[]> => eachOf(seeds, make);
const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
// a study that trains a network of its own needs none of these
const alone = ["P213", "P366"];
const dense = wanted.length > 0 && wanted.every((id) => alone.includes(id)) ? [] : await each((seed) => learnt(seed));
const whole = dense.map((own) => accuracy(own));
const layerError = ({
  report,
}: {
  readonly report: { readonly layers: readonly { readonly error: number | null }[] };
}): number => report.layers.reduce((sum, { error }) => sum + error!, 0) / report.layers.length;

const studies: Readonly<Record<string, () => Promise<Study>>> = {
  async P045() {
    const of = (rule: typeof prune.wanda, sparsity: number) =>
      dense.map((own) => rule(own, train, { sparsity, samples: 256 }).network).map((own) => accuracy(own));
    const [a, b] = [of(prune.dsnot as never, 0.7), of(prune.wanda, 0.7)];
    const [c, d] = [of(prune.dsnot as never, 0.8), of(prune.wanda, 0.8)];
    return {
      headline: "Exchanging weights without training beats Wanda at 70% zeros",
      outcome: outcomeOf(apart(a, b)),
      figures: {
        dsnot70: band(a),
        wanda70: band(b),
        dsnot80: band(c),
        wanda80: band(d),
        difference70: band(apart(a, b)),
        difference80: band(apart(c, d)),
      },
      seeds,
    };
  },
  async P076() {
    const rules = { admm: prune.admm, sparseGpt: prune.sparseGpt, wanda: prune.wanda };
    const found = Object.entries(rules).map(([name, rule]) => {
      const made = dense.map((own) => (rule as typeof prune.wanda)(own, train, { sparsity: 0.7, samples: 256 }));
      return [name, { error: made.map(layerError), accuracy: made.map(({ network }) => accuracy(network)) }] as const;
    });
    const plain = dense.map((own) => prune.magnitude(own, train, { sparsity: 0.7, within: "layer", samples: 256 }));
    const by = Object.fromEntries([
      ...found,
      ["magnitude", { error: plain.map(layerError), accuracy: plain.map(({ network }) => accuracy(network)) }],
    ]) as Record<string, { error: number[]; accuracy: number[] }>;
    return {
      headline: "The layer's error after weights are moved by ADMM is below that of SparseGPT, Wanda and magnitude",
      outcome: allOf(
        ...["sparseGpt", "wanda", "magnitude"].map((name) => outcomeOf(apart(by[name]!.error, by.admm!.error))),
      ),
      figures: Object.fromEntries(
        Object.entries(by).flatMap(([name, own]) => [
          [`${name} error`, band(own.error)],
          [`${name} accuracy`, band(own.accuracy)],
        ]),
      ),
      seeds,
    };
  },
  async P161() {
    const of = (rule: unknown, bits: number) =>
      dense
        .map((own) => (rule as typeof quantise.rtn)(own, train, { bits, samples: 256 }).network)
        .map((own) => accuracy(own));
    const four = of(quantise.comq, 4);
    const [a, b, c] = [of(quantise.comq, 2), of(quantise.gptq, 2), of(quantise.rtn, 2)];
    return {
      headline: "At four bits coordinate descent loses under one point, and at few bits less than rounding and GPTQ",
      outcome: allOf(outcomeOf(apart(four, whole), -0.01), outcomeOf(apart(a, c)), outcomeOf(apart(a, b))),
      figures: {
        dense: band(whole),
        comq4: band(four),
        comq2: band(a),
        gptq2: band(b),
        rtn2: band(c),
        overGptq: band(apart(a, b)),
      },
      seeds,
    };
  },
  async P213() {
    const blocks = ["block1", "block2", "block3", "block4", "block5", "block6"];
    const few = 3;
    const size = { patch: 4, width: 24, depth: 6, heads: 4, widen: 2 } as const;
    const big = await eachOf(few, (seed) => learnt(seed, { from: vit(size), epochs: 6, lr: 0.003 }));
    const given = { rule: "rtn", high: 8, low: 2, filter: blocks, lowered: 1 / 3 } as const;
    const ordered = big.map((own) => accuracy(quantise.layerwise(own, train, given).network));
    // no order: on the mean over the pairs of blocks beside one another
    const any = big.map((own) => {
      const pairs = blocks.slice(0, -1).map((block, i) => {
        const first = quantise.rtn(own, { bits: 2, filter: [block, blocks[i + 1]!] }).network;
        return accuracy(
          quantise.rtn(first, { bits: 8, filter: blocks.filter((_, k) => k !== i && k !== i + 1) }).network,
        );
      });
      return pairs.reduce((sum, value) => sum + value, 0) / pairs.length;
    });
    return {
      headline: "With a third of the blocks at two bits the ordering by shift loses less than no ordering",
      outcome: outcomeOf(apart(ordered, any)),
      figures: {
        whole: band(big.map((own) => accuracy(own))),
        ordered: band(ordered),
        unordered: band(any),
        difference: band(apart(ordered, any)),
      },
      seeds: few,
    };
  },
  async P266() {
    const options = { sparsity: 0.8, rule: "magnitude", samples: 256 } as const;
    const found = dense
      .map((own, seed) => prune.evolved(own, train, { ...options, generations: 40, seed }).network)
      .map((own) => accuracy(own));
    const alike = dense
      .map((own) => prune.magnitude(own, train, { sparsity: 0.8, within: "layer" }).network)
      .map((own) => accuracy(own));
    const together = dense
      .map((own) => prune.magnitude(own, train, { sparsity: 0.8 }).network)
      .map((own) => accuracy(own));
    return {
      headline: "Shares of zeros found by evolution beat equal shares and one threshold for all layers",
      outcome: allOf(outcomeOf(apart(found, alike)), outcomeOf(apart(found, together))),
      figures: {
        evolved: band(found),
        alike: band(alike),
        together: band(together),
        overAlike: band(apart(found, alike)),
        overTogether: band(apart(found, together)),
      },
      seeds,
    };
  },
  async P369() {
    const same = (await each((seed) => learnt(seed, { by: [ternary()] }))).map((own) => accuracy(own));
    const mean = (await each((seed) => learnt(seed, { by: [ternary({ scale: "mean" })] }))).map((own) => accuracy(own));
    return {
      headline: "A small vision network of three values is as good as one of the same size",
      outcome: outcomeOf(apart(same, whole), -0.01),
      figures: {
        ternary: band(same),
        ternaryMean: band(mean),
        dense: band(whole),
        difference: band(apart(same, whole)),
      },
      seeds,
    };
  },
  async P452() {
    const of = async (by: Strategy) => (await each((seed) => learnt(seed, { by: [by] }))).map((own) => accuracy(own));
    const at = async (budget: number) => {
      const pruned = { sparsity: 1 - budget, exchanged: 0 } as const;
      return {
        shared: await of(stableRps({ budget }) as never),
        gradual: await of(granet({ ...pruned, initial: 0 }) as never),
      };
    };
    const [tenth, least] = [await at(0.1), await at(0.02)];
    return {
      headline: "Sharing numbers is as good as pruning at a tenth of them, and better at a fiftieth",
      outcome: allOf(
        outcomeOf(apart(tenth.shared, tenth.gradual), -0.01),
        outcomeOf(apart(least.shared, least.gradual)),
      ),
      figures: {
        shared10: band(tenth.shared),
        gradual10: band(tenth.gradual),
        shared50: band(least.shared),
        gradual50: band(least.gradual),
        difference10: band(apart(tenth.shared, tenth.gradual)),
        difference50: band(apart(least.shared, least.gradual)),
      },
      seeds,
    };
  },
  async P448() {
    const deep = net().flatten().dense(64).tanh().dense(64).tanh().dense(64).tanh();
    const of = async (estimator: string) =>
      (await each((seed) => learnt(seed, { from: deep, by: [reste({ estimator, activations: true })] }))).map((own) =>
        accuracy(own),
      );
    const [a, b] = [await of("reste"), await of("ste")];
    return {
      headline: "A binary network learns better with the rectified estimator than with the straight-through one",
      outcome: outcomeOf(apart(a, b)),
      figures: { reste: band(a), ste: band(b), difference: band(apart(a, b)) },
      seeds,
    };
  },
  async P233() {
    const of = async (by: Strategy) => (await each((seed) => learnt(seed, { by: [by] }))).map((own) => accuracy(own));
    const a = await of(st3({ sparsity: 0.95 }) as never);
    const b = await of(granet({ sparsity: 0.95, initial: 0, exchanged: 0, ramp: 0.5 }) as never);
    const c = await of(granet({ sparsity: 0.95, initial: 0, ramp: 0.5 }) as never);
    return {
      headline:
        "Soft thresholds with straight-through gradients beat gradual pruning, and pruning with regrowth, at 95% zeros",
      outcome: allOf(outcomeOf(apart(a, b)), outcomeOf(apart(a, c))),
      figures: {
        st3: band(a),
        gradual: band(b),
        granet: band(c),
        overGradual: band(apart(a, b)),
        overGranet: band(apart(a, c)),
      },
      seeds,
    };
  },
  async P296() {
    const of = async (options: object) =>
      (await each((seed) => learnt(seed, { by: [granet({ sparsity: 0.9, ...options }) as never] }))).map((own) =>
        accuracy(own),
      );
    const [a, b, c] = [
      await of({ initial: 0.5 }),
      await of({ initial: 0, exchanged: 0 }),
      await of({ initial: 0.9, exchanged: 0 }),
    ];
    return {
      headline: "From sparse to sparser with regrowth beats pruning from dense, at 90% zeros",
      outcome: outcomeOf(apart(a, b)),
      figures: {
        granet: band(a),
        denseToSparse: band(b),
        fixedMask: band(c),
        difference: band(apart(a, b)),
        overFixed: band(apart(a, c)),
      },
      seeds,
    };
  },
  async P348() {
    const small = dense.map((own) => prune.magnitude(own, { sparsity: 0.85 }).network);
    const few = [{ kind: "adapter" }, { kind: "bias" }] as const;
    const again = (begin: (own: TrainedNetwork) => unknown, by: readonly Strategy[] = []) =>
      each((seed) => learnt(seed, { from: begin(small[seed]!), by, epochs: 3 }));
    const full = await again((own) => from(own, { head: "keep" }), [keepZeros() as never]);
    const perp = await again((own) =>
      from(own, { head: "keep" })
        .adapt(maskLora({ rank: 2 }))
        .trainOnly(few),
    );
    const biases = await again((own) => from(own, { head: "keep" }).trainOnly({ kind: "bias" }));
    const [a, b, c] = [full, perp, biases].map((all) => all.map((own) => accuracy(own)));
    return {
      headline: "After pruning, retraining few numbers is as good as retraining all",
      outcome: outcomeOf(apart(b!, a!), -0.01),
      figures: {
        pruned: band(small.map((own) => accuracy(own))),
        all: band(a!),
        maskLora: band(b!),
        biases: band(c!),
        difference: band(apart(b!, a!)),
      },
      seeds,
    };
  },
  async P366() {
    const size = { patch: 2, width: 32, depth: 3, heads: 4, widen: 2 } as const;
    const big = await each((seed) => learnt(seed, { from: vit(size), epochs: 12, lr: 0.002 }));
    const cuts = big.map((own) => prune.minitron(own, train, { depth: 2, inner: 32, width: 24 }).network);
    const short = { epochs: 2, lr: 0.002 };
    const taught = await each((seed) =>
      learnt(seed, {
        from: from(cuts[seed]!, { head: "keep" }),
        by: [distil({ teacher: big[seed]!, weight: 1 }) as never],
        ...short,
      }),
    );
    const scratch = await each((seed) => learnt(seed, { from: cuts[seed]!.model, ...short }));
    const [a, b, c] = [taught, scratch, cuts].map((all) => all.map((own) => accuracy(own)));
    return {
      headline:
        "A pruned network that is taught by the large one beats one of its size from scratch with as many steps",
      outcome: outcomeOf(apart(a!, b!)),
      figures: {
        large: band(big.map((own) => accuracy(own))),
        cut: band(c!),
        taught: band(a!),
        scratch: band(b!),
        difference: band(apart(a!, b!)),
      },
      seeds,
    };
  },
};

for (const [id, make] of Object.entries(studies))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
