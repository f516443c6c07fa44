/** What studies of denoisers share: digits, denoisers of them, and how good what they draw is. */
import {
  adam,
  classes,
  cosine,
  type Dataset,
  diffusion,
  digits,
  type Examples,
  gather,
  net,
  type Strategy,
  type TrainedNetwork,
} from "../../../lib/index.ts";

export const quiet = { quiet: true, record: false } as const;
export const data = digits();

/** All rows of a table, 64 numbers each. */
export const rowsOf = (table: Examples): Float32Array =>
  gather(
    table,
    Uint32Array.from({ length: table.length }, (_, i) => i),
  );

/** A denoiser of digits of dense layers. */
export const dense = (width: number, told: number, more: object = {}) =>
  net()
    .flatten()
    .conditions(32, { classes: told, steps: 100, ...more })
    .dense(width)
    .modulate()
    .silu()
    .dense(width)
    .modulate()
    .silu()
    .dense(width)
    .modulate()
    .silu()
    .dense(64);

/** A network that has learnt to take noise out of some data, or what another strategy asks of it. */
export async function denoiserOf(
  of: Dataset<"image" | "vector">,
  model: unknown,
  {
    seed,
    steps,
    by = diffusion({ looks: 0 }),
    lr = 2e-3,
    batch = 64,
  }: { seed: number; steps: number; by?: Strategy; lr?: number; batch?: number },
): Promise<TrainedNetwork> {
  const plain = classes(of).learn(model as ReturnType<typeof net>);
  const study = (plain.by(by as never) as unknown as typeof plain)
    .with(adam({ lr }), cosine())
    .train({ batch, steps })
    .evaluate({ atStart: false, every: "end", share: 0 });
  return (await study.run({ ...quiet, seeds: [seed] })).network({ seed });
}

/** The squared distance of each row of 64 numbers to the nearest of others, and which it is. */
export function nearest(rows: Float32Array, others: Float32Array): { readonly far: number; readonly at: number }[] {
  return Array.from({ length: rows.length / 64 }, (_, i) => {
    let [far, at] = [Number.POSITIVE_INFINITY, -1];
    for (let j = 0; j < others.length / 64; j++) {
      let sum = 0;
      for (let k = 0; k < 64 && sum < far; k++) sum += (rows[64 * i + k]! - others[64 * j + k]!) ** 2;
      if (sum < far) [far, at] = [sum, j];
    }
    return { far, at };
  });
}

/** The share of drawn digits whose nearest real digit is of the class that was asked for. */
export function rightly(drawn: Examples, real: Examples = data.train): number {
  const near = nearest(rowsOf(drawn), rowsOf(real));
  return near.filter(({ at }, i) => real.labels[at] === drawn.labels[i]).length / drawn.length;
}
