/**
 * Studies of rows of the systems catalogue about memories before state spaces, coupled systems, kernels that a network draws, and mixtures of experts: `npx tsx
 * tests/bench/mixtures.studies.bench.ts`, or some of them alone, by their rows. Some minutes for all.
 */
import {
  adam,
  classes,
  digits,
  gpt,
  type Layer,
  layers,
  type Model,
  net,
  type Rng,
  random,
  resnet,
  tape,
  terminator,
  tf,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { type Drawn, entropy, fit, given, type Loss, right } from "./parts/fitting.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 3;

const chained = (...stack: readonly Layer[]): Model => net.of(stack) as unknown as Model;

/** P183: which of six frequencies falls or rises, from samples at even times; asked of samples at uneven ones, with and without memories before the state spaces. */
function otherTimes(): Study {
  const [length, classes] = [64, 6];
  /** Signals of a class, sampled at times whose gaps are up to `uneven` away from 1 in 1. */
  const signals = (rng: Rng, n: number, uneven: number): Drawn => {
    const [x, y] = [new Float32Array(n * length), new Float32Array(n)];
    for (let i = 0; i < n; i++) {
      const kind = rng.int(classes);
      y[i] = kind;
      const [phase, slope] = [2 * Math.PI * rng.uniform(), (kind % 2 === 0 ? 1 : -1) * (0.5 + rng.uniform())];
      const base = 2 + 2 * Math.floor(kind / 2);
      let time = 0;
      for (let t = 0; t < length; t++) {
        const at = time / length;
        x[i * length + t] = Math.sin(phase + 2 * Math.PI * (base * at + slope * at * at)) + 0.1 * rng.normal();
        time += 1 + uneven * (2 * rng.uniform() - 1);
      }
    }
    return { x: tf.tensor(x, [n, length, 1]), y: tf.tensor1d(y) };
  };
  const block = (memory: boolean): Layer =>
    layers.residual(chained(layers.layerNorm(), ...(memory ? [layers.smr(4)] : []), layers.s4d(16)), {});
  const deep = (memory: boolean): Model =>
    chained(
      layers.dense(16),
      block(memory),
      block(memory),
      layers.layerNorm(),
      layers.globalPool(),
      layers.dense(classes),
    );
  const models = { s4d: deep(false), "memories and s4d": deep(true) };
  const found: Record<string, number[]> = {};
  for (const [name, model] of Object.entries(models))
    for (let seed = 0; seed < seeds; seed++) {
      const { params } = fit(model, [length, 1], (rng) => signals(rng, 32, 0), entropy, { steps: 200, lr: 1e-2, seed });
      for (const [times, uneven] of [
        ["even", 0],
        ["uneven", 0.9],
      ] as const) {
        const { x, y } = signals(random(seed).at("test"), 400, uneven);
        (found[`accuracy at ${times} times, ${name}`] ??= []).push(right(given(model, params, x), y));
      }
    }
  return {
    headline:
      "With memories before it a state space is right more often where samples lie at other times than in training",
    outcome: outcomeOf(
      apart(found["accuracy at uneven times, memories and s4d"]!, found["accuracy at uneven times, s4d"]!),
    ),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
    seeds,
  };
}

/** P003: digits read as pixels by blocks of kernels that a network draws, beside a network of residual blocks with more parameters; after two epochs and after six. */
async function drawnKernels(): Promise<Study> {
  const models = {
    "drawn kernels": terminator({ units: [12, 24], windows: [3, 7, 5, 5], hidden: 8 }),
    "residual blocks": resnet({ depth: 20, filters: 8 }),
  };
  const parameters = Object.fromEntries(
    Object.entries(models).map(([name, model]) => [
      name,
      model.summary([8, 8, 1]).reduce((sum, row) => sum + row.parameters, 0),
    ]),
  );
  const found: Record<string, number[]> = {};
  for (const [name, model] of Object.entries(models))
    for (const epochs of [2, 6])
      found[`accuracy after ${epochs} epochs, ${name}`] = await accuracies(
        classes(digits())
          .split(1)
          .learn(model)
          .with(adam({ lr: 4e-3 }))
          .train({ batch: 64, epochs }) as never,
        seeds,
      );
  const more = (epochs: number): number[] =>
    apart(
      found[`accuracy after ${epochs} epochs, drawn kernels`]!,
      found[`accuracy after ${epochs} epochs, residual blocks`]!,
    );
  return {
    headline:
      "Without shortcuts and with fewer parameters kernels that a network draws learn images faster than residual blocks",
    outcome: allOf(
      outcomeOf(more(2)),
      parameters["drawn kernels"]! < parameters["residual blocks"]! ? "holds" : "does not hold here",
    ),
    figures: {
      ...Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
      ...Object.fromEntries(Object.entries(parameters).map(([name, count]) => [`parameters, ${name}`, count])),
    },
    seeds,
  };
}

/** P074: which of three balls are joined by springs, from where they are and how fast at ten uneven times: three coupled systems, one of as many parameters (a neural controlled differential equation), a gated recurrent unit. */
function springs(): Study {
  const [length, steps] = [10, 250];
  const pairs = [
    [0, 1],
    [0, 2],
    [1, 2],
  ] as const;
  const balls = (rng: Rng, n: number): Drawn => {
    const [x, y] = [new Float32Array(n * length * 13), new Float32Array(n * 3)];
    for (let i = 0; i < n; i++) {
      const edges = pairs.map(() => (rng.uniform() < 0.5 ? 1 : 0));
      y.set(edges, 3 * i);
      const place = Array.from({ length: 6 }, () => rng.normal());
      const speed = Array.from({ length: 6 }, () => rng.normal());
      for (let t = 0; t < length; t++) {
        const gap = t === 0 ? 1 : 0.4 + 1.2 * rng.uniform();
        for (let k = 0; t > 0 && k < 20; k++) {
          const dt = (0.4 * gap) / 20;
          pairs.forEach(([a, b], pair) => {
            for (const axis of [0, 1]) {
              const force = 2 * edges[pair]! * (place[2 * b + axis]! - place[2 * a + axis]!);
              speed[2 * a + axis]! += dt * force;
              speed[2 * b + axis]! -= dt * force;
            }
          });
          for (let c = 0; c < 6; c++) place[c]! += dt * speed[c]!;
        }
        x.set([...place.map((v) => v / 2), ...speed.map((v) => v / 2), gap], 13 * (i * length + t));
      }
    }
    return { x: tf.tensor(x, [n, length, 13]), y: tf.tensor2d(y, [n, 3]) };
  };
  const models = {
    "three systems": chained(layers.decouple(3, 8, { times: true, steps: 2, channels: 12 }), layers.dense(3)),
    "one system": chained(layers.decouple(1, 14, { times: true, steps: 2, channels: 12 }), layers.dense(3)),
    "gated recurrent unit": chained(layers.gru(24), layers.last(), layers.dense(3)),
  };
  const binary: Loss = (out, y) => tf.mean(tf.sub(tf.softplus(out), tf.mul(y, out)));
  const found = Object.fromEntries(
    Object.entries(models).map(([name, model]) => [
      name,
      Array.from({ length: seeds }, (_, seed) => {
        const { params } = fit(model, [length, 13], (rng) => balls(rng, 32), binary, { steps, lr: 1e-2, seed });
        const { x, y } = balls(random(seed).at("test"), 400);
        const said = tf.cast(tf.greater(given(model, params, x), 0), "float32");
        return tf.mean(tf.cast(tf.equal(said, y), "float32")).dataSync()[0]!;
      }),
    ]),
  );
  return {
    headline:
      "Coupled systems find what holds cluttered, unevenly sampled things together more often than one system and than a recurrent network",
    outcome: allOf(
      outcomeOf(apart(found["three systems"]!, found["one system"]!)),
      outcomeOf(apart(found["three systems"]!, found["gated recurrent unit"]!)),
    ),
    figures: {
      ...Object.fromEntries(
        Object.entries(found).map(([name, values]) => [`accuracy of an edge, ${name}`, band(values)]),
      ),
      ...Object.fromEntries(
        Object.entries(models).map(([name, model]) => [
          `parameters, ${name}`,
          model.summary([length, 13]).reduce((sum, row) => sum + row.parameters, 0),
        ]),
      ),
    },
    seeds,
  };
}

/** P194: the next item of people who go through three lists in turns, each by steps of its own, by networks whose places are counted or told apart by the context. */
function nextItems(): Study {
  const [length, lists, each] = [24, 3, 8];
  const visits = (rng: Rng, n: number): Drawn => {
    const [x, y] = [new Float32Array(n * length), new Float32Array(n * length)];
    for (let i = 0; i < n; i++) {
      const steps = Array.from({ length: lists }, () => 1 + rng.int(3));
      const at = Array.from({ length: lists }, () => rng.int(each));
      let list = rng.int(lists);
      for (let t = 0; t <= length; t++) {
        if (rng.uniform() < 0.15) list = rng.int(lists);
        at[list] = (at[list]! + steps[list]!) % each;
        const item = list * each + at[list]!;
        if (t < length) x[i * length + t] = item;
        if (t > 0) y[i * length + t - 1] = item;
      }
    }
    return { x: tf.tensor2d(x, [n, length]), y: tf.tensor2d(y, [n, length]) };
  };
  const found: Record<string, number[]> = {};
  for (const depth of [1, 2])
    for (const positions of ["learned", "cape"] as const) {
      const tokens = lists * each;
      const model = chained(
        layers.through(gpt({ tokens, width: 24, depth, heads: 2, context: length, positions })),
        layers.dense(tokens),
      );
      found[`hits, ${positions === "cape" ? "places of the context" : "counted places"}, depth ${depth}`] = Array.from(
        { length: seeds },
        (_, seed) => {
          const { params } = fit(model, [length], (rng) => visits(rng, 24), entropy, { steps: 250, lr: 5e-3, seed });
          const { x, y } = visits(random(seed).at("test"), 200);
          return right(given(model, params, x), y);
        },
      );
    }
  const gains = [1, 2].map((depth) =>
    apart(found[`hits, places of the context, depth ${depth}`]!, found[`hits, counted places, depth ${depth}`]!),
  );
  return {
    headline: "Recommenders of either depth hit the next item more often with places that come of the context",
    outcome: allOf(...gains.map((gain) => outcomeOf(gain))),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
    seeds,
  };
}

/** P428: two groups of two tasks, of which the second of each has an answer in one of ten examples: experts in a hierarchy beside a mixture that all share. */
function hierarchy(): Study {
  const [inputs, tasks, units] = [12, 4, 8];
  const secret = random(99);
  const weights = [0, 1, 2, 3].map((t) => secret.at("group", Math.floor(t / 2)).normals([inputs, 6], 0, 1));
  const ends = [0, 1, 2, 3].map((t) => secret.at("task", t).normals([6, 1], 0, 1));
  /** Answers, and which of them are known. */
  const asked = (rng: Rng, n: number, share: number): Drawn => {
    const x = rng.at("x").normals([n, inputs], 0, 1);
    const all = weights.map((w, t) =>
      tf.matMul(tf.tanh(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)), ends[t] as tf.Tensor2D),
    );
    const known = rng.at("known").uniforms([n, tasks], 0, 1);
    const shares = tf.tensor2d([[1, share, 1, share]]);
    return { x, y: tf.stack([tf.concat(all, 1), tf.cast(tf.less(known, shares), "float32")], 2) };
  };
  const models = {
    "experts in a hierarchy": chained(
      layers.hierarchicalMoe(
        [
          [0, 1],
          [2, 3],
        ],
        { experts: 2, units },
      ),
      layers.reshape([tasks, units]),
      layers.dense(1),
      layers.flatten(),
    ),
    "experts of all": chained(
      layers.dense(24),
      layers.residual(chained(layers.layerNorm(), layers.moe(6, { topK: 6 })), {}),
      layers.dense(tasks),
    ),
  };
  const parts = (y: tf.Tensor): tf.Tensor[] => tf.unstack(y, 2);
  const loss: Loss = (out, y) => {
    const [wanted, known] = parts(y);
    return tf.div(tf.sum(tf.mul(tf.squaredDifference(out, wanted!), known!)), tf.sum(known!));
  };
  const found: Record<string, number[]> = {};
  for (const [name, model] of Object.entries(models))
    for (let seed = 0; seed < seeds; seed++) {
      const drawn = (rng: Rng): Drawn => asked(rng, 64, 0.1);
      const { params } = fit(model, [inputs], drawn, loss, { steps: 400, lr: 5e-3, seed });
      const { x, y } = asked(random(seed).at("test"), 1000, 1);
      const out = tf.tidy(() => {
        // batch normalisation by the many examples of the test
        const run = tape(true, null, model.statistics([inputs]));
        const [wanted] = parts(y);
        const errors = tf.mean(tf.squaredDifference(model.apply(params, x, run.mode), wanted!), 0);
        const variances = tf.moments(wanted!, 0).variance;
        return [...tf.sub(1, tf.div(errors, variances)).dataSync()];
      });
      (found[`variance explained, tasks often asked, ${name}`] ??= []).push((out[0]! + out[2]!) / 2);
      (found[`variance explained, tasks seldom asked, ${name}`] ??= []).push((out[1]! + out[3]!) / 2);
    }
  const more = (which: string): number[] =>
    apart(
      found[`variance explained, tasks ${which} asked, experts in a hierarchy`]!,
      found[`variance explained, tasks ${which} asked, experts of all`]!,
    );
  return {
    headline:
      "A hierarchy of experts explains more of tasks that are seldom asked than experts that all tasks share, and no less of the others",
    outcome: allOf(outcomeOf(more("seldom")), outcomeOf(more("often"), -0.02)),
    figures: {
      ...Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
      ...Object.fromEntries(
        Object.entries(models).map(([name, model]) => [
          `parameters, ${name}`,
          model.summary([inputs]).reduce((sum, row) => sum + row.parameters, 0),
        ]),
      ),
    },
    seeds,
  };
}

const all: Record<string, () => Study | Promise<Study>> = {
  P003: drawnKernels,
  P074: springs,
  P183: otherTimes,
  P194: nextItems,
  P428: hierarchy,
};
const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries(all)) if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
