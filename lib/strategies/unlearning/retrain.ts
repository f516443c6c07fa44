import { disposeTree } from "../../engine/index.ts";
import { drawnAnew } from "../parts/fresh.ts";
import { descended, retainedOf } from "../parts/unlearning.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Retraining: when the learner is asked to forget, the network is drawn anew and trained on all that came before and is not forgotten. It is
 * what every other way of unlearning is held against.
 *
 * Training within the request is by Adam, over all columns; running statistics stay as they are.
 *
 * Bourtoule et al. 2021, "Machine unlearning", arXiv:1912.03817, section 2 (the naive strategy).
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, retrain } from "thalweg";
 * classes(digits()).split(5).forget(["0"], { at: 2 }).learn(mlp()).by(retrain({ epochs: 5 }));
 * ```
 */
export const retrain = strategy("retrain", { lr: 2e-3, batch: 32, epochs: 10 }, ({ lr, batch, epochs }) => {
  requireNumber("retrain", "lr", lr, 0);
  for (const [name, value] of Object.entries({ batch, epochs })) requireWhole("retrain", name, value, 1);
  return {
    tokens: "no stream of tokens asks to forget a class",
    classes: true,
    forget(state, _request, context) {
      const { rng, experience, weights } = context;
      const kept = retainedOf(context);
      const begun = drawnAnew(context, rng.at("retrain", experience));
      if (kept === null) return { ...state, weights: begun, restart: true };
      const next = descended(
        "retrain",
        context,
        begun,
        kept,
        { lr, batch, epochs },
        rng.at("retrain order", experience),
      );
      disposeTree(begun, weights);
      return { ...state, weights: next, restart: true };
    },
  };
});
