import { compressionCurve } from "../../lib/plots/compression-curve.ts";

/** Accuracies as they fall with the share of zeros; `steep` says how soon. */
const seeds = (steep: number) =>
  [0, 1, 2].map((seed) =>
    [0.3, 0.5, 0.6, 0.7, 0.8, 0.9].map((sparsity) => ({
      sparsity,
      error: sparsity ** (6 / steep),
      accuracy: { before: 0.94, after: 0.94 - (0.8 + 0.03 * seed) * sparsity ** (12 / steep) },
    })),
  );

export default () =>
  compressionCurve(
    { magnitude: seeds(2.6), wanda: seeds(1.7), sparseGpt: seeds(1.2) },
    { of: "accuracy", title: "Accuracy of a pruned network" },
  );
