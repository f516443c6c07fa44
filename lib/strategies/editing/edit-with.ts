import { type Json, select } from "../../data/dataset.ts";
import { type EditFactory, editorOf, plusGram, rewritten } from "../../edit/editing.ts";
import * as rules from "../../edit/index.ts";
import { gram, kernelOf, keysOf, type Matrix, siteOf } from "../../edit/parts/facts.ts";
import { cloneTree } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** The sum of outer products of the keys of all that was trained, and how many; null before the first edit. */
  readonly known: Matrix | null;
  readonly count: number;
  /** The same of all edits so far. */
  readonly past: Matrix | null;
  readonly weights?: Weights;
}

/** The rules of `edit`. */
const known = Object.values(rules as object).filter(
  (rule) => typeof rule === "function" && "editing" in rule && "how" in rule,
) as readonly EditFactory<{ [name: string]: Json } & { layer: string }>[];

/**
 * Editing in a stream: the first experiences are trained, and every later one is written into the network by a rule of `edit`.
 *
 * What was trained is known, by the layer's keys as the first edit finds them; keys of earlier edits count too. On the `edits` stream the
 * accuracy on an edit's own task is its reliability, that on the first task is locality, both after every edit. An edit is taken back by going
 * back in the run: `run.at(experience(3)).fork()`.
 *
 * @example
 * ```ts
 * import { adam, edit, edits, editWith, net } from "thalweg";
 * const stream = edits(5, { subjects: 10 });
 * const study = stream.learn(net().embedding(14, 16).transformer(2).last()).with(adam({ lr: 0.01 })).train({ epochs: 20 });
 * study.by(editWith(edit.memit({ hold: 5 }))).name; // "editWith"
 * ```
 */
export const editWith = strategy(
  "editWith",
  {
    /** The rule's name and its options: what `edit.memit({ … })` gives. */
    edit: "memit",
    options: {} as { readonly [name: string]: Json },
    /** Experiences that are trained. */
    trained: 1,
  },
  ({ edit, options, trained }) => {
    requireWhole("editWith", "trained", trained, 1);
    const found = known.find(({ editing }) => editing === edit);
    if (found === undefined)
      throw new TypeError(
        `editWith: one of edit.${known.map(({ editing }) => editing).join(", edit.")} is required, got "${edit}"`,
      );
    const own = found(options).options as { readonly layer: string };
    return {
      tokens: "it edits one answer for each example",
      classes: true,
      init: (): Memory => ({ known: null, count: 0, past: null }),
      data: (_state: Memory, { index, train }) => (index < trained ? train : select(train, new Uint32Array(0))),
      beforeExperience(state: Memory, { index, train }, context): Memory {
        const { known: had, count, past } = state;
        if (index < trained || train.length === 0) return { known: had, count, past };
        const subject = { structure: context.network, weights: context.weights, statistics: context.statistics };
        const site = siteOf("editWith", subject, own.layer);
        let [sum, n] = [had ?? new Float64Array(site.inputs ** 2), count];
        for (let i = 0; had === null && i < trained; i++) {
          const { train: facts } = context.stream.experience(i);
          if (facts.length === 0) continue;
          const more = gram(keysOf(subject, subject.weights, facts, site).keys, site.inputs);
          sum = sum.map((x, k) => x + more[k]!);
          n += facts.length;
        }
        const before = past ?? new Float64Array(site.inputs ** 2);
        const editor = editorOf(subject, site, train, { gram: sum, count: n }, before);
        const kernel = found.how(editor, own as never);
        const copy = cloneTree(context.weights);
        const weights = rewritten(copy, site, kernel);
        kernelOf(copy, site).dispose();
        return { known: sum, count: n, past: plusGram(before, editor.keys(kernel), site.inputs), weights };
      },
    };
  },
);
