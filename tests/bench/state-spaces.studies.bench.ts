/**
 * Studies of rows of the systems catalogue that are linear systems with a state: `npx tsx tests/bench/state-spaces.studies.bench.ts`, or some of them alone, by their rows. Some
 * minutes for all.
 */

import {
  adam,
  classes,
  deer,
  digits,
  fftConvolve,
  jit,
  lmuFormer,
  type Model,
  net,
  type Params,
  random,
  scan,
  tape,
  tf,
  valueAndGrad,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { memories } from "./parts/memories.ts";
import { recalled } from "./parts/recalled.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const now = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** P091, P182, P044, P082, P186: digits as sequences of 64 pixels, beside a gated recurrent unit of about as many weights. */
async function sequences(wanted: readonly string[], epochs: number): Promise<Record<string, readonly number[]>> {
  const seeds = 3;
  const pixels = () => net().reshape([64, 1]) as never as ReturnType<typeof net>;
  const deep = (layer: (n: never) => never): unknown =>
    (pixels() as never as { dense(width: number): Deep })
      .dense(16)
      .residual((n) => layer((n as Deep).layerNorm() as never))
      .residual((n) => layer((n as Deep).layerNorm() as never))
      .layerNorm()
      .globalPool();
  interface Deep {
    layerNorm(): Deep & { globalPool(): unknown };
    residual(inner: (n: unknown) => unknown): Deep;
  }
  type Any = Record<string, (...args: unknown[]) => never>;
  const models: Record<string, unknown> = {
    gru: (pixels() as never as Any).gru!(28),
    s5: deep((n) => (n as Any).s5!(16)),
    s4: deep((n) => (n as Any).s4!(16)),
    lssl: deep((n) => (n as Any).lssl!(8)),
    multires: deep((n) => (n as Any).multires!({ depth: 5 })),
    ckconv: deep((n) => ((n as Any).ckconv!(8, { hidden: 16 }) as Any).dense!(16)),
  };
  models.gru = (models.gru as Any).last!();
  const found: Record<string, number[]> = {};
  for (const [name, model] of Object.entries(models)) {
    if (!wanted.includes(name)) continue;
    const own = classes(digits())
      .split(1)
      .learn(model as never)
      .with(adam({ lr: 4e-3 }))
      .train({ batch: 64, epochs });
    found[name] = await accuracies(own as never, seeds);
    console.log(
      name,
      found[name],
      (model as Model).summary([8, 8, 1]).reduce((sum, row) => sum + row.parameters, 0),
    );
  }
  return found;
}
const raced: Record<string, readonly number[]> = {};
const pixelStudy =
  (name: string, headline: string, epochs = 14) =>
  async (): Promise<Study> => {
    const missing = [name, "gru"].filter((one) => raced[`${one} ${epochs}`] === undefined);
    for (const [one, values] of Object.entries(await sequences(missing, epochs))) raced[`${one} ${epochs}`] = values;
    const found = Object.fromEntries([name, "gru"].map((one) => [one, raced[`${one} ${epochs}`]!]));
    return {
      headline,
      outcome: outcomeOf(apart(found[name]!, found.gru!)),
      figures: {
        [`accuracy on digits pixel by pixel, ${name}`]: band(found[name]!),
        "accuracy on digits pixel by pixel, gru": band(found.gru!),
      },
      seeds: found.gru!.length,
    };
  };

/** P081: digits row by row, beside a transformer of more weights. */
async function former(): Promise<Study> {
  const seeds = 3;
  type Any = Record<string, (...args: unknown[]) => Any>;
  const rows = (): Any => net().reshape([8, 8]) as never;
  const models: Record<string, Any> = {
    LMUFormer: rows().through!(lmuFormer({ width: 16, order: 8, window: 8, gives: "mean" })),
    transformer: rows().dense!(48).positions!().transformer!(4).transformer!(4).layerNorm!().globalPool!(),
  };
  const found: Record<string, number[]> = {};
  const sizes: Record<string, number> = {};
  for (const [name, model] of Object.entries(models)) {
    sizes[name] = (model as unknown as Model).summary([8, 8, 1]).reduce((sum, row) => sum + row.parameters, 0);
    const own = classes(digits())
      .split(1)
      .learn(model as never)
      .with(adam({ lr: 3e-3 }))
      .train({ batch: 64, epochs: 12 });
    found[name] = await accuracies(own as never, seeds);
  }
  return {
    headline: "Memories of Legendre polynomials in the place of attention are about as accurate with far fewer weights",
    outcome: outcomeOf(apart(found.LMUFormer!, found.transformer!), -0.03),
    figures: {
      ...Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
      ...Object.fromEntries(Object.entries(sizes).map(([name, size]) => [`weights, ${name}`, size])),
    },
    seeds,
  };
}

/** P039: what carries the past along 2,048 and 8,192 places, forward and backward: four dilated convolutions, and a Fourier transform of the whole sequence. */
async function dilated(): Promise<Study> {
  const [n, width] = [2, 32];
  const ms: Record<string, number> = {};
  for (const length of [2048, 8192]) {
    const given = {
      x: random(1).normals([n, length, width], 0, 1),
      kernel: random(2).normals([width, length], 0, 0.02),
    };
    const model = net()
      .causalConv(3)
      .causalConv(3, { dilation: 2 })
      .causalConv(3, { dilation: 4 })
      .causalConv(3, { dilation: 8 }) as unknown as Model;
    const params = model.init(random(3), [length, width]);
    const { mode } = tape(false, null, {});
    const ways = {
      "dilated convolutions": () =>
        jit((x: tf.Tensor, params: Params) =>
          valueAndGrad(
            (at: { x: tf.Tensor; params: Params }) => tf.mean(tf.square(model.apply(at.params, at.x, mode))),
            { x, params },
          ),
        ),
      "a Fourier transform": () =>
        jit((x: tf.Tensor) =>
          valueAndGrad((at: typeof given) => tf.mean(tf.square(fftConvolve(at.x, at.kernel))), {
            x,
            kernel: given.kernel,
          }),
        ),
    };
    for (const [name, make] of Object.entries(ways)) {
      const step = make() as (x: tf.Tensor, params: Params) => { readonly value: tf.Tensor };
      for (let round = 0; round < 4; round++) {
        const from = now();
        step(given.x, params).value.dataSync();
        if (round > 0)
          ms[`${name}, ${length}`] = Math.min(ms[`${name}, ${length}`] ?? Number.POSITIVE_INFINITY, now() - from);
      }
    }
  }
  const faster = [2048, 8192].map(
    (length) => ms[`a Fourier transform, ${length}`]! / ms[`dilated convolutions, ${length}`]!,
  );
  return {
    headline:
      "Dilated convolutions carry the past along a sequence faster, forward and backward, than a recurrence that a Fourier transform makes parallel",
    outcome: faster.every((ratio) => ratio > 1) ? "holds" : "does not hold here",
    figures: Object.fromEntries(
      Object.entries(ms).map(([name, value]) => [
        `milliseconds of processor time, ${name} places`,
        Number(value.toPrecision(3)),
      ]),
    ),
    seeds: 1,
  };
}

/** P077: a recurrent network of 4 units over 1,024 places, by Newton's steps and by a loop, forward and backward. */
async function newton(): Promise<Study> {
  const [length, n, units, seeds] = [1024, 4, 4, 5];
  const cell = (h: tf.Tensor, x: tf.Tensor, kernel: tf.Tensor): tf.Tensor =>
    tf.tanh(tf.add(tf.matMul(h as tf.Tensor2D, kernel as tf.Tensor2D), x));
  type Given = { readonly kernel: tf.Tensor; readonly xs: tf.Tensor };
  const start = (): tf.Tensor => tf.zeros([n, units]);
  const ways = {
    newton: ({ kernel, xs }: Given) => deer(cell, start(), xs, kernel, { iterations: 8 }),
    loop: ({ kernel, xs }: Given) =>
      scan(
        (h: tf.Tensor, x: tf.Tensor, kernel: tf.Tensor) => [cell(h, x, kernel), cell(h, x, kernel)] as const,
        start(),
        xs,
        kernel,
      )[1],
  };
  const errors: number[] = [];
  const ms: Record<string, number> = {};
  for (let seed = 0; seed < seeds; seed++) {
    const given = {
      kernel: random(seed).at("kernel").normals([units, units], 0, 0.5),
      xs: random(seed).at("xs").normals([length, n, units], 0, 1),
    };
    const states = Object.entries(ways).map(([name, way]) => {
      const step = jit((given: Given) => valueAndGrad((given: Given) => tf.mean(tf.square(way(given))), given));
      step(given);
      for (let round = 0; round < 3; round++) {
        const from = now();
        step(given).value.dataSync();
        ms[name] = Math.min(ms[name] ?? Number.POSITIVE_INFINITY, now() - from);
      }
      return jit(way)(given).dataSync();
    });
    errors.push(Math.max(...states[0]!.map((v, i) => Math.abs(v - states[1]![i]!))));
  }
  return {
    headline:
      "Newton's steps over the whole sequence give the states of a recurrence that is not linear, and are faster than going through it",
    outcome: allOf(
      outcomeOf(errors.map((error) => 1e-4 - error)),
      ms.newton! < ms.loop! ? "holds" : "does not hold here",
    ),
    figures: {
      "largest difference of a state": Number(Math.max(...errors).toExponential(2)),
      "milliseconds of processor time, eight of Newton's steps": Number(ms.newton!.toPrecision(3)),
      "milliseconds of processor time, the loop": Number(ms.loop!.toPrecision(3)),
    },
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const all: Record<string, () => Promise<Study>> = {
  ...memories,
  ...recalled,
  P077: newton,
  P081: former,
  P039: dilated,
  P091: pixelStudy("s5", "S5 classifies images read pixel by pixel better than recurrent networks"),
  P182: pixelStudy("s4", "S4 classifies images read pixel by pixel better than recurrent networks"),
  P044: pixelStudy(
    "lssl",
    "Linear state space layers classify images read pixel by pixel better than recurrent networks",
  ),
  P082: pixelStudy(
    "multires",
    "A convolutional memory of several resolutions classifies sequences better than recurrent networks",
  ),
  P186: pixelStudy(
    "ckconv",
    "Convolutions with continuous kernels classify images read pixel by pixel better than recurrent networks",
  ),
};
for (const [id, make] of Object.entries(all)) if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
