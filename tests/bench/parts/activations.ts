/** The studies of what a training step holds until its gradient is taken, by row. */
import { adam, classes, digits, net } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracies, apart, band, outcomeOf } from "./studies.ts";

const all = classes(digits()).split(1);

/** P372: accuracy when a product keeps some rows of what came in. */
async function keptRows(): Promise<Study> {
  const seeds = 6;
  const figures: Study["figures"] & Record<string, unknown> = {};
  const found: Record<number, number[]> = {};
  for (const rows of [1, 0.3, 0.1]) {
    const own = net().flatten().dense(64).layerNorm().dense(64, { rows }).relu().layerNorm().dense(64, { rows }).relu();
    const study = all
      .learn(own as never)
      .with(adam({ lr: 2e-3 }))
      .train({ batch: 64, epochs: 15 });
    found[rows] = await accuracies(study as never, seeds);
    Object.assign(figures, { [`accuracy, ${rows * 100} % of the rows`]: band(found[rows]!) });
  }
  return {
    headline: "Keeping three rows in ten of what comes into a product for its gradient costs almost no accuracy",
    outcome: outcomeOf(apart(found[0.3]!, found[1]!), -0.01),
    figures,
    seeds,
  };
}

/** P378: accuracy when products keep bytes. */
async function keptBytes(): Promise<Study> {
  const seeds = 6;
  const of = (bytes: number): Promise<number[]> => {
    const own = net()
      .flatten()
      .dense(64)
      .layerNorm()
      .dense(64, { bytes })
      .relu()
      .layerNorm()
      .dense(64, { bytes })
      .relu();
    return accuracies(
      all
        .learn(own as never)
        .with(adam({ lr: 2e-3 }))
        .train({ batch: 64, epochs: 15 }) as never,
      seeds,
    );
  };
  const [plain, packed] = [await of(0), await of(8)];
  return {
    headline: "What comes into products may be kept as bytes for the gradient at equal accuracy",
    outcome: outcomeOf(apart(packed, plain), -0.01),
    figures: { "accuracy, kept as it is": band(plain), "accuracy, kept as bytes": band(packed) },
    seeds,
  };
}

export const activations: Readonly<Record<string, () => Promise<Study>>> = { P372: keptRows, P378: keptBytes };
