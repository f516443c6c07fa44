import { composite, type Inner, innerModel } from "../../composite.ts";
import { sequential } from "../../sequential.ts";
import { reverse } from "../basic/reverse.ts";

/**
 * What layers make of a sequence, and what layers with weights of their own make of it from its end, side by side at each place.
 *
 * `[length, inputs]` becomes `[length, 2 · units]`: at each place what comes before it, and what comes after it. The tensors lie at
 * `2-bidirectional/onwards/1-gru` and `2-bidirectional/backwards/1-gru`. For any layers that go through a sequence; `lstm` has it as an option too.
 * Schuster and Paliwal 1997, doi:10.1109/78.650093.
 *
 * Implements: P055 RNN review
 * Lipton, Berkowitz and Elkan 2015, "A critical review of recurrent neural networks for sequence learning", arXiv:1506.00019: the layers it is about are `rnn`
 * (section 2.5), `lstm` (4.1), `gru` and this (4.2), with backpropagation through time truncated by their option `truncate` (3.3).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).bidirectional((n) => n.gru(8)).features([12]); // [12, 16]
 * ```
 */
export const bidirectional = composite(
  "bidirectional",
  (inner: Inner) => {
    const model = innerModel(inner);
    const backwards = sequential("net", undefined, [reverse()]);
    return {
      options: {},
      accepts: ["sequence"],
      gives: "sequence",
      parts: [
        { name: "onwards", model },
        { name: "backwards", model },
        { name: "", model: backwards },
      ],
      flow: (x, { pass, join }) => join("concat", [pass(0, x), pass(2, pass(1, pass(2, x, 0)), 1)]),
    };
  },
  (_, [inner]) => [inner!],
);
