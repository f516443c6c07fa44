/** Lets the learner ask for labels. */
import { relabelled } from "../../data/dataset.ts";
import { needWhole } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { retrained } from "../parts/tables.ts";
import { type Oracle, oracleFor } from "../stream.ts";

/**
 * Hides all training labels (they are −1) and lets the learner ask for `labels` of them in each experience: `experience.oracle.ask(at)`.
 * In training the strategy `acquire` does it, and nothing but the labels it was given is learnt. Operators that choose among examples come
 * before it.
 *
 * An oracle belongs to the experience it came with; one that is made anew has forgotten what was asked before, so a run that is resumed
 * asks again for what it had.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { oracle } = operators.active(20)(classes(digits())).experience(0);
 * oracle?.ask([0, 1, 2]); // Int32Array [0, 1, 2]
 * oracle?.left; // 17
 * ```
 */
export const active = operator(
  "active",
  (labels: number) => {
    needWhole("active", "labels", labels);
    return (stream) => {
      const hidden = retrained(
        stream,
        (train) => relabelled(train, new Int32Array(train.length).fill(-1)),
        (before) => before,
      );
      return {
        ...hidden,
        experience(index) {
          const e = hidden.experience!(index);
          return { ...e, oracle: oracleFor(e.train, oracleOf(stream.experience(index).train.labels, labels)) };
        },
      };
    };
  },
  { drops: ["labels"], targets: ["class"] },
);

function oracleOf(labels: Int32Array, most: number): Oracle {
  const asked = new Set<number>();
  return {
    get left() {
      return most - asked.size;
    },
    ask(at) {
      const fresh = new Set(Array.from(at).filter((i) => !asked.has(i)));
      for (const i of fresh)
        if (!Number.isInteger(i) || i < 0 || i >= labels.length)
          throw new RangeError(`active: an example from 0 to ${labels.length - 1} is required, got ${i}`);
      if (fresh.size > most - asked.size)
        throw new RangeError(`active: at most ${most - asked.size} more labels can be asked for, got ${fresh.size}`);
      for (const i of fresh) asked.add(i);
      return Int32Array.from(at, (i) => labels[i]!);
    },
  };
}
