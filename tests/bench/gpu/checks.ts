/** The checks of a GPU: weights beside the processor's, bytes that cross, stopping, memory, speed, seeds side by side. */
import { useNamed } from "../../../lib/engine/devices.ts";
import { type DeviceOptions, engine, jit, nn, type Rng, steps, tf } from "../../../lib/engine/index.ts";
import { blobs, classes, mlp as mlpModel, OutOfMemory, runMany, sgd as sgdOptimizer } from "../../../lib/index.ts";
import {
  adam,
  batch,
  cnn,
  mlp,
  type Optimizer,
  type Params,
  type Program,
  resnet18,
  type State,
  sgd,
  start,
  trainer,
  vit,
} from "../../engine/support.ts";

/** One check, and how many seconds it may need. */
export interface Check {
  readonly name: string;
  readonly seconds: number;
  run(device: string, left: () => number): Promise<{ readonly holds: boolean; readonly figures: unknown }>;
}

/** A GPT over `tokens` places of 32 words: the ViT's blocks, each place seeing those before it, the last one classified. */
function gpt(width = 64, tokens = 32): Program {
  const inner = vit(width, 4, 2, tokens, width);
  const later = tf.sub(1, tf.linalg.bandPart(tf.ones([tokens, tokens]), -1, 0));
  const mask = tf.mul(later, -1e9).dataSync().slice();
  return {
    input: [tokens],
    classes: 10,
    init: (rng: Rng): Params => ({ ...inner.init(rng), words: rng.at("words").normals([32, width], 0, 0.1) }),
    apply: (p, x) => {
      const ids = tf.cast(tf.floor(tf.mul(x, 31.99)), "int32");
      const embedded = tf.add(tf.gather(p.words!, ids), p.place!);
      const heads = (t: tf.Tensor): tf.Tensor =>
        tf.transpose(tf.reshape(t, [x.shape[0]!, tokens, 4, width / 4]), [0, 2, 1, 3]);
      const dense = (t: tf.Tensor, name: string): tf.Tensor => {
        const flat = tf.matMul(tf.reshape(t, [-1, t.shape.at(-1)!]) as tf.Tensor2D, p[`${name}.w`] as tf.Tensor2D);
        const y = p[`${name}.b`] ? tf.add(flat, p[`${name}.b`]!) : flat;
        return tf.reshape(y, [...t.shape.slice(0, -1), y.shape.at(-1)!]);
      };
      const normal = (t: tf.Tensor, name: string): tf.Tensor => nn.layerNormalise(t, p[`${name}.g`]!, p[`${name}.b`]!);
      let h = dense(embedded, "embed");
      for (let i = 0; i < 2; i++) {
        const [q, k, v] = tf.split(dense(normal(h, `${i}.n1`), `${i}.qkv`), 3, -1) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const seen = nn.attention(heads(q), heads(k), heads(v), tf.tensor(mask, [tokens, tokens]));
        h = tf.add(h, dense(tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [x.shape[0]!, tokens, width]), `${i}.out`));
        h = tf.add(h, dense(nn.gelu(dense(normal(h, `${i}.n2`), `${i}.up`)), `${i}.down`));
      }
      return dense(tf.mean(normal(h, "last"), 1), "head");
    },
  };
}

const rateOf = (): tf.Scalar => tf.scalar(0.01);

/** The weights and the losses after some steps on the device in use. */
function trained(program: Program, optimizer: Optimizer, count: number, size: number) {
  const step = jit(trainer(program, optimizer), { donate: [0] });
  let state: State = start(program, optimizer);
  const losses: number[] = [];
  const rate = rateOf();
  for (let i = 0; i < count; i++) {
    const one = batch(program, size, i);
    const [next, loss] = step(state, one, null, rate);
    state = next;
    losses.push(loss.dataSync()[0]!);
    tf.dispose([one.x, one.y, loss]);
  }
  return {
    weights: Object.entries(state.params).map(
      ([key, value]) => [key, value.dataSync().slice() as Float32Array] as const,
    ),
    losses,
  };
}

/** The largest difference of two sets of weights, beside the largest weight of its tensor. */
function apart(
  got: ReturnType<typeof trained>,
  want: ReturnType<typeof trained>,
): { readonly most: number; readonly at: string } {
  let [most, at] = [0, ""];
  want.weights.forEach(([key, expected], i) => {
    const scale = expected.reduce((largest, x) => Math.max(largest, Math.abs(x)), 1e-3);
    expected.forEach((x, place) => {
      const off = Math.abs(x - got.weights[i]![1][place]!) / scale;
      if (!(off <= most)) [most, at] = [off, key];
    });
  });
  return { most, at };
}

/** What is compared: small enough for a software driver, with every kind of layer. Adam moves by the sign of gradients that are nothing but rounding. */
const compared: readonly (readonly [string, () => Program, Optimizer, number])[] = [
  ["MLP", () => mlp([64, 300, 10]), sgd, 1e-4],
  ["CNN", () => cnn(12, [8, 16], 32), sgd, 1e-4],
  ["ResNet-18", () => resnet18(4, 16), sgd, 5e-3],
  ["ViT", () => vit(32, 4, 2, 16, 12), sgd, 1e-3],
  ["GPT", () => gpt(32, 16), sgd, 1e-3],
  ["MLP with adam", () => mlp([64, 300, 10]), adam, 2e-2],
];

const weights = compared.map(
  ([name, make, optimizer, tolerance]): Check => ({
    name: `${name}: weights after 20 steps beside the processor's`,
    seconds: 15,
    async run(device) {
      await engine.use("cpu");
      const program = make();
      const want = trained(program, optimizer, 20, 8);
      await useNamed(device);
      const got = trained(program, optimizer, 20, 8);
      const { most, at } = apart(got, want);
      const loss = [want.losses.at(-1), got.losses.at(-1)];
      return {
        holds: most < tolerance,
        figures: { "largest difference": most, at, tolerance, "last loss, processor and device": loss },
      };
    },
  }),
);

const residency: Check = {
  name: "only the batch crosses to the device, and only the loss back",
  seconds: 10,
  async run() {
    const before = engine.traffic;
    if (before === null) return { holds: true, figures: "not counted on this device" };
    const program = cnn(12, [4, 6], 16);
    const step = jit(trainer(program, adam), { donate: [0] });
    const rate = rateOf();
    let state = start(program, adam);
    const crossed: [number, number][] = [];
    for (let i = 0; i < 12; i++) {
      const one = batch(program, 8, i);
      const then = engine.traffic!;
      const [next, loss] = step(state, one, null, rate);
      state = next;
      loss.dataSync();
      const now = engine.traffic!;
      crossed.push([now.in - then.in, now.out - then.out]);
      tf.dispose([one.x, one.y, loss]);
    }
    const bytes = 8 * (12 * 12 * 4 + 4);
    return {
      holds: crossed.slice(2).every(([into, out]) => into === bytes && out === 4),
      figures: { batch: bytes, crossed: crossed.slice(-2) },
    };
  },
};

const study = () =>
  classes(blobs({ classes: 4, dimensions: 32, perClass: 100 }))
    .split(2)
    .learn(mlpModel({ hidden: [100] }))
    .with(sgdOptimizer({ lr: 0.05 }))
    .train({ batch: 10, epochs: 4 });

const interrupted: Check = {
  name: "a run is stopped between steps, saved, and goes on to the numbers of one that was not",
  seconds: 20,
  async run() {
    const losses = async (fitting: ReturnType<ReturnType<typeof study>["fit"]>, limit = Number.POSITIVE_INFINITY) => {
      const all: number[] = [];
      for await (const event of fitting) {
        if (event.type === "step") all.push(event.loss);
        if (all.length >= limit) break;
      }
      return all;
    };
    const want = await losses(study().fit({ seed: 1 }));
    const stop = new AbortController();
    const first = study().fit({ seed: 1, signal: stop.signal });
    const seen: number[] = [];
    let name = "";
    try {
      for await (const event of first) {
        if (event.type !== "step") continue;
        seen.push(event.loss);
        if (seen.length === 16) stop.abort();
      }
    } catch (error) {
      ({ name } = error as Error);
    }
    const rest = await losses(study().fit({ seed: 1, from: first.save() }));
    const off = Math.max(...want.map((loss, i) => Math.abs(loss - [...seen, ...rest][i]!)));
    return {
      holds: name === "Interrupted" && seen.length + rest.length === want.length && off < 1e-6,
      figures: { steps: want.length, "stopped after": seen.length, off },
    };
  },
};

const memory: Check = {
  name: "memory that runs out is a sentence, and what is smaller runs on",
  seconds: 15,
  async run(device) {
    const [name, ...words] = device.split("+");
    if (name !== "cuda" && name !== "cpu-capi") return { holds: true, figures: "not limited on this device" };
    await engine.use(name, {
      memory: 256 << 20,
      ...(Object.fromEntries(words.map((word) => [word, true])) as DeviceOptions),
    });
    try {
      const program = mlp([784, 400, 10]);
      const step = jit(trainer(program, sgd), { name: "step" });
      const state = start(program, sgd);
      const loss = (size: number) => step(state, batch(program, size, 0), null, rateOf())[1].dataSync()[0]!;
      const small = loss(10);
      let said = "nothing";
      let isRight = false;
      try {
        loss(150_000);
      } catch (error) {
        said = (error as Error).message;
        isRight = error instanceof OutOfMemory;
      }
      return { holds: isRight && Math.abs(loss(10) - small) < 1e-6, figures: said };
    } finally {
      await useNamed(device);
    }
  },
};

const timed: readonly (readonly [string, () => Program, number, number])[] = [
  ["mlp 784-400-400-10, batch 10", () => mlp([784, 400, 400, 10]), 10, 5],
  ["mlp 784-400-400-10, batch 256", () => mlp([784, 400, 400, 10]), 256, 5],
  ["cnn, batch 64", () => cnn(), 64, 15],
  ["resnet18 of 20 filters, batch 256", () => resnet18(), 256, 40],
  ["vit d64, batch 256", () => vit(), 256, 40],
];

/** The ways of a device: of CUDA all that may be faster. */
const waysOf = (device: string): readonly (readonly [string, DeviceOptions])[] =>
  device.startsWith("cuda")
    ? [
        ["as it is", {}],
        ["CUDA graphs", { graphs: true }],
        ["rewritten by ONNX Runtime", { optimise: "all" }],
        ["CUDA graphs, rewritten", { graphs: true, optimise: "all" }],
        ["CUDA graphs, TF32", { graphs: true, tf32: true }],
      ]
    : [["as it is", {}]];

/** Milliseconds of a training step: the least of some rounds, one call a step and sixteen in a program. */
function stepTimes(program: Program, size: number, rounds: number, repeats: number): Record<string, number> {
  const ones = batch(program, size, 0);
  const rate = rateOf();
  const single = jit(trainer(program, sgd), { donate: [0] });
  let state = start(program, sgd);
  const one = (): void => {
    const [next, loss] = single(state, ones, null, rate);
    state = next;
    loss.dataSync();
    loss.dispose();
  };
  const count = 16;
  const many = steps(trainer(program, sgd));
  const stack = (x: tf.Tensor): tf.Tensor => tf.tidy(() => tf.stack(new Array(count).fill(x)));
  const xs = { x: stack(ones.x), y: stack(ones.y) };
  const sixteen = (): void => {
    const [next, losses] = many(state, xs, null, rate);
    state = next;
    losses.dataSync();
    losses.dispose();
  };
  const least = (work: () => void, each: number, repeats: number): number => {
    work();
    work();
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      for (let i = 0; i < repeats; i++) work();
      best = Math.min(best, (performance.now() - began) / (repeats * each));
    }
    return Number(best.toFixed(4));
  };
  // A software driver takes seconds for a step: sixteen of them are for processors and cards.
  const figures = {
    "one call a step, ms": least(one, 1, repeats),
    ...(engine.device !== "webgpu" && { "sixteen steps a call, ms": least(sixteen, count, 1) }),
  };
  tf.dispose([xs.x, xs.y, ones.x, ones.y, state.params, state.slots] as unknown as tf.TensorContainer);
  return figures;
}

const speed = timed.map(
  ([name, make, size, seconds]): Check => ({
    name: `milliseconds of a training step: ${name}`,
    seconds: seconds + 5,
    async run(device, left) {
      const isSoftware = !device.startsWith("cuda");
      const figures: Record<string, unknown> = {};
      const [base] = device.split("+") as [Parameters<typeof engine.use>[0]];
      for (const [way, options] of waysOf(device)) {
        if (left() < seconds) {
          figures[way] = "no time left";
          continue;
        }
        try {
          await engine.use(base, options);
          figures[way] = stepTimes(
            make(),
            isSoftware ? Math.min(size, 10) : size,
            isSoftware ? 1 : 5,
            isSoftware ? 2 : 10,
          );
        } catch (error) {
          figures[way] = (error as Error).message.split("\n")[0];
        }
      }
      await useNamed(device);
      if (isSoftware) figures.note = "batches of 10: a rehearsal";
      return { holds: Object.values(figures).some((one) => typeof one === "object"), figures };
    },
  }),
);

const seeds: Check = {
  name: "32 seeds side by side beside one",
  seconds: 40,
  async run(device) {
    const cost = async (count: number): Promise<number> => {
      const began = performance.now();
      await runMany(study().spec, { seeds: count, together: true, record: false, keep: () => false });
      return performance.now() - began;
    };
    await cost(2);
    const one = await cost(1);
    await cost(32);
    const all = await cost(32);
    const times = Number((all / one).toFixed(2));
    // The goal is one of a GPU; elsewhere it is only told.
    return {
      holds: !device.startsWith("cuda") || times < 2,
      figures: { "one, ms": Math.round(one), "32, ms": Math.round(all), times },
    };
  },
};

export const checks: readonly Check[] = [...weights, residency, interrupted, memory, seeds, ...speed];
