/**
 * Backbones against Hugging Face's transformers and PyTorch: logits and gradients of networks with the same numbers.
 *
 * `peers/*.py` are the programs; their `numbers` are drawn here again, so that what was written down are results alone.
 */
import { readFileSync } from "node:fs";
import {
  cct,
  convNext,
  convNextNames,
  exportOnnx,
  gpt,
  gptNames,
  headed,
  importOnnx,
  jit,
  llamaNames,
  lstm,
  lstmNames,
  type Model,
  mambaNames,
  mixer,
  net,
  network,
  type Params,
  paths,
  random,
  resnet,
  resnetNames,
  ssm,
  type Tree,
  tape,
  tf,
  tied,
  unet,
  unflatten,
  valueAndGrad,
  vit,
  vitNames,
  type Weights,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { convNames, denseNames, type ForeignName, normNames } from "../../lib/models/parts/foreign-names.ts";
import { peerNumbers as numbers } from "../support/peer-numbers.ts";

interface Told {
  readonly parameters: readonly (readonly [name: string, shape: number[], centre: number, spread: number])[];
  readonly logits: readonly number[];
  readonly gradients: Readonly<Record<string, readonly [product: number, length: number]>>;
  readonly input?: readonly [product: number, length: number];
  readonly head?: readonly [product: number, length: number];
  readonly tokens?: number[][];
  readonly states?: readonly number[];
}
const read = (name: string): Record<string, Told> =>
  JSON.parse(readFileSync(new URL(`./peers/${name}.json`, import.meta.url), "utf8"));
const [ofTransformers, ofLlama, ofTorch, ofDepth, ofBlocks] = [
  read("transformers"),
  read("llama"),
  read("torch"),
  read("depth"),
  read("blocks"),
];

const images = (...shape: number[]): tf.Tensor => numbers(1000, shape, 0.5, 1);
const numbersOf = (t: tf.Tensor): number[] => [...t.dataSync()];

interface Case {
  readonly told: Told;
  readonly model: Model;
  readonly x: tf.Tensor;
  readonly names: readonly ForeignName[];
  readonly training?: boolean;
  /** Columns of the head, where no name says them. */
  readonly columns?: number;
  /** Which of the logits were written down. Default: all. */
  readonly some?: (logits: number[]) => number[];
}

const close = (got: number, wanted: number, size: number): void => {
  expect(Math.abs(got - wanted)).toBeLessThan(1e-5 * Math.max(1, size));
};

/** The tree with the tensors of a file in the places that the names say. Shapes are those of the tree: axes of length 1 may come and go. */
function placed(names: readonly ForeignName[], file: Readonly<Record<string, tf.Tensor>>, tree: Params): Params {
  const all = new Map(paths(tree as Tree));
  for (const { from, to, turn, cut } of names) {
    const part = cut ? tf.split(file[from]!, cut.of, -1)[cut.part]! : file[from]!;
    all.set(to, tf.reshape(turn ? tf.transpose(part, [...turn]) : part, all.get(to)!.shape));
  }
  return unflatten(tree, [...all.values()]) as Params;
}

/** A tensor of ours back in the form of the file. */
function returned(t: tf.Tensor, { turn, cut }: ForeignName, shape: readonly number[]): tf.Tensor {
  if (turn === undefined) return cut ? t : tf.reshape(t, [...shape]);
  const permuted = turn.map((axis) => shape[axis]!);
  const back = turn.map((_, axis) => turn.indexOf(axis));
  return tf.transpose(tf.reshape(t, permuted), back);
}

function check({ told, model, x, names, columns: given, training = false, some = (all) => all }: Case): void {
  tf.tidy(() => {
    const shape = x.shape.slice(1);
    const own = network(model, shape);
    const file = Object.fromEntries(
      told.parameters.map(([name, size, centre, spread], i) => [name, numbers(i, size, centre, spread)]),
    );
    const columns = given ?? file[names.find(({ to }) => to === "head/kernel")!.from]!.size / own.width.at(-1)!;
    const made = placed(names, file, { ...own.init(random(0), columns), statistics: own.statistics() } as Params);
    const { statistics, ...begun } = made as unknown as Weights & { statistics: Params };
    const hasBias = names.some(({ to }) => to === "head/bias");
    const weights = hasBias ? begun : { ...begun, head: { ...begun.head, bias: tf.zeros([columns]) } };
    const run = jit((given: { weights: Weights; x: tf.Tensor }) =>
      valueAndGrad(({ weights, x }: typeof given) => {
        const y = own.logits(weights, own.features(weights, x, tape(training, null, statistics).mode));
        return [tf.sum(tf.mul(y, numbers(2000, y.shape))), y] as const;
      }, given),
    );
    const isFloat = x.dtype === "float32" && told.input !== undefined;
    const { aux, grads } = run({ weights, x });
    const got = some(numbersOf(aux as unknown as tf.Tensor));
    expect(got.length).toBe(told.logits.length);
    got.forEach((value, i) => {
      close(value, told.logits[i]!, Math.abs(told.logits[i]!));
    });
    const ours = new Map(paths(grads.weights as unknown as Tree));
    const seen = new Set<string>();
    told.parameters.forEach(([name, size], i) => {
      const wanted = told.gradients[name];
      const goals = names.filter(({ from, to }) => from === name && !to.startsWith("statistics/"));
      if (wanted === undefined || goals.length === 0) return;
      const parts = goals.map((goal) => {
        seen.add(goal.to);
        return returned(ours.get(goal.to)!, goal, size);
      });
      const isCut = goals[0]!.cut !== undefined;
      const whole = isCut ? tf.concat(parts, size.length - 1) : (parts as [tf.Tensor]).reduce((a, b) => tf.add(a, b));
      const product = numbersOf(tf.sum(tf.mul(whole, numbers(3000 + i, size))))[0]!;
      close(product, wanted[0], wanted[1]);
      close(numbersOf(tf.norm(whole))[0]!, wanted[1], wanted[1]);
    });
    expect([...ours.keys()].filter((path) => !seen.has(path))).toEqual(hasBias ? [] : ["head/bias"]);
    if (isFloat) {
      const slopes = x.rank === 4 ? tf.transpose(grads.x, [0, 3, 1, 2]) : grads.x;
      const slope = numbersOf(tf.sum(tf.mul(slopes, numbers(2999, slopes.shape))))[0]!;
      close(slope, told.input![0], told.input![1]);
    }
    if (training) return;
    const forward = (x: tf.Tensor): tf.Tensor =>
      own.logits(weights, own.features(weights, x, tape(false, null, statistics).mode));
    const opened = importOnnx(exportOnnx(forward, [x], { batch: "any" }));
    some(numbersOf(opened(x)[0]!)).forEach((value, i) => {
      close(value, told.logits[i]!, Math.abs(told.logits[i]!));
    });
  });
}

describe("with the numbers of Hugging Face's transformers", () => {
  const told = ofTransformers;
  test("a vision transformer gives their logits and gradients", () => {
    const model = vit({ patch: 4, width: 16, depth: 2, heads: 2, widen: 2, epsilon: 1e-12 });
    check({ told: told.vit!, model, x: images(3, 8, 8, 3), names: vitNames(2) });
  });

  test("so does one without biases of queries, keys and values", () => {
    const model = vit({ patch: 2, width: 8, depth: 1, heads: 2, qkvBias: false });
    check({ told: told.vitPlain!, model, x: images(3, 8, 8, 1), names: vitNames(1, { qkvBias: false }) });
  });

  const small = gpt({ tokens: 11, width: 16, depth: 2, heads: 2, context: 8 });
  test("a GPT-2 gives their logits, and their gradients where the head's numbers are the tokens' own", () => {
    const x = tf.tensor2d(told.gpt!.tokens!);
    // ours are two, whose sum is theirs: the gradient of the tokens by way of the network, and that of the head
    check({ told: told.gpt!, model: small, x, names: gptNames(2) });
    const own = gptNames(2).filter(({ to }) => to !== "head/kernel");
    check({ told: told.gpt!, model: headed(small, tied()), x, names: own, columns: 11 });
  });

  test.each([
    ["llama", { kvHeads: 2 }],
    ["llamaOneHead", { kvHeads: 1 }],
    ["mistral", { kvHeads: 2, window: 3 }],
    ["qwen3", { kvHeads: 2, queryKeyNorm: "rms", epsilon: 1e-6 }],
  ] as const)("%s gives their logits and gradients", (name, options) => {
    const [size, llama] = [{ tokens: 11, width: 16, depth: 2, heads: 4, widen: 3 }, ofLlama[name]!];
    const blocks = { positions: "rotary", normalisation: "rms", activation: "swiglu", bias: "none" } as const;
    const names = llamaNames(2, { queryKeyNorm: name === "qwen3" });
    check({ told: llama, model: gpt({ ...size, ...blocks, ...options }), x: tf.tensor2d(llama.tokens!), names });
  });

  test("a Mamba gives their logits and gradients", () => {
    const own = read("mamba").mamba!;
    const model = ssm({ kind: "mamba", tokens: 11, width: 8, depth: 2, state: 4, normalisation: "rms" });
    check({ told: own, model, x: tf.tensor2d(own.tokens!), names: mambaNames(2) });
  });

  test("a network of convolutions after the pattern of transformers gives theirs", () => {
    const model = convNext({ patch: 2, filters: [6, 8], depths: [2, 1] });
    check({ told: told.convNext!, model, x: images(3, 8, 8, 3), names: convNextNames([2, 1]) });
  });
});

describe("with the numbers of PyTorch", () => {
  const told = ofTorch;
  test.each([
    ["resnet18", { depth: 18, filters: 3 }, 16, false],
    ["resnet18Training", { depth: 18, filters: 3 }, 16, true],
    ["resnet50", { depth: 50, filters: 2, stem: "large" }, 32, false],
    ["resnet20", { depth: 20, filters: 4 }, 8, false],
  ] as const)("%s gives its logits and gradients", (name, options, size, training) => {
    const names = resnetNames(options.depth);
    check({ told: told[name]!, model: resnet(options), x: images(4, size, size, 3), names, training });
  });

  const encoder = (from: string, to: string): ForeignName[] => [
    ...normNames(`${from}.norm1`, `${to}/before`),
    ...["query", "key", "value"].flatMap((part) => denseNames(`${from}.attention.${part}`, `${to}/${part}`, false)),
    ...denseNames(`${from}.attention.out`, `${to}/out`),
    ...normNames(`${from}.norm2`, `${to}/between`),
    ...denseNames(`${from}.up`, `${to}/up`),
    ...denseNames(`${from}.down`, `${to}/down`),
  ];
  test("a compact convolutional transformer gives its logits and gradients", () => {
    const names = [
      ...[0, 1].flatMap((i) => convNames(`tokenizer.${i}`, `model/tokenizer/${3 * i + 1}-conv`, false)),
      { from: "positions", to: "model/positions/places" },
      ...[0, 1].flatMap((i) => encoder(`blocks.${i}`, `model/block${i + 1}`)),
      ...normNames("norm", "model/norm"),
      ...denseNames("pool", "model/pool/score"),
      ...denseNames("fc", "head"),
    ];
    const model = cct({ width: 8, depth: 2, heads: 2, widen: 1, convolutions: 2, filters: 6 });
    check({ told: told.cct!, model, x: images(3, 8, 8, 3), names });
  });

  describe("with blocks that read earlier layers", () => {
    const x = numbers(1000, [2, 5, 8], 0, 2);
    const products = ["query", "key", "value", "out", "up", "down"];
    const block = (kind: string, i: number, apart: boolean): ForeignName[] => {
      const [from, to] = [`blocks.${i}`, `model/${i + 1}-${kind}`];
      const streams = apart ? ["query", "key", "value"] : [];
      return [
        ...(apart ? [] : normNames(`${from}.before`, `${to}/before`)),
        ...streams.flatMap((name) => normNames(`${from}.before.${name}`, `${to}/before/${name}`)),
        ...products.flatMap((name) => denseNames(`${from}.${name}`, `${to}/${name}`)),
        ...normNames(`${from}.between`, `${to}/between`),
      ];
    };
    const depth = (from: string, to: string): ForeignName[] => [
      ...denseNames(`${from}.rise`, `${to}/up`, false),
      ...denseNames(`${from}.fall`, `${to}/down`),
    ];
    const options = { kvHeads: 2, widen: 2 } as const;

    test("LIMe gives its logits and gradients", () => {
      const mixtures = [1, 2].map((i) => ({ from: `blocks.${i}.mixture`, to: `model/${i + 1}-lime/mixture` }));
      const names = [...[0, 1, 2].flatMap((i) => block("lime", i, false)), ...mixtures, ...denseNames("fc", "head")];
      const model = net().lime(4, options).lime(4, options).lime(4, options) as unknown as Model;
      check({ told: ofDepth.lime!, model, x, names });
    });

    test("MUDDFormer gives its logits and gradients", () => {
      const names = [
        ...[0, 1, 2].flatMap((i) => block("mudd", i, i > 0)),
        ...[1, 2].flatMap((i) => depth(`blocks.${i}`, `model/${i + 1}-mudd/depth`)),
        ...depth("end", "model/4-muddOutput"),
        ...denseNames("fc", "head"),
      ];
      const model = net().mudd(4, options).mudd(4, options).mudd(4, options).muddOutput() as unknown as Model;
      check({ told: ofDepth.mudd!, model, x, names });
    });
  });

  test.each(["fixed", "lstm"] as const)(
    "P221: a block-recurrent transformer gives its logits and gradients, gate %s",
    (gate) => {
      const of = [
        "key",
        "value",
        "stateKey",
        "stateValue",
        "query",
        "stateQuery",
        "fromStates",
        "fromTokens",
        "out",
        "change",
      ];
      const to = "model/1-blockRecurrent";
      const names = [
        ...["before", "ofStates", "between"].flatMap((name) => normNames(name, `${to}/${name}`)),
        ...[...of, "up", "down", ...(gate === "lstm" ? ["enter", "stay"] : [])].flatMap((name) =>
          denseNames(name, `${to}/${name}`),
        ),
        ...["begin", "names", ...(gate === "fixed" ? ["keep"] : [])].map((name) => ({
          from: name,
          to: `${to}/${name}`,
        })),
        ...denseNames("fc", "head"),
      ];
      const model = net().blockRecurrent(2, { block: 3, states: 2, gate, widen: 2 }) as unknown as Model;
      const told = ofBlocks[gate === "fixed" ? "blockRecurrent" : "blockRecurrentLstm"]!;
      check({ told, model, x: numbers(1000, [2, 7, 8], 0, 2), names });
    },
  );

  test("a mixer gives its logits and gradients", () => {
    const names = [
      ...convNames("patches", "model/patches/2-dense"),
      ...[0, 1].flatMap((i) => {
        const [from, to] = [`blocks.${i}`, `model/block${i + 1}`];
        return [
          ...normNames(`${from}.norm1`, `${to}/before`),
          ...denseNames(`${from}.places_up`, `${to}/placesUp`),
          ...denseNames(`${from}.places_down`, `${to}/placesDown`),
          ...normNames(`${from}.norm2`, `${to}/between`),
          ...denseNames(`${from}.channels_up`, `${to}/channelsUp`),
          ...denseNames(`${from}.channels_down`, `${to}/channelsDown`),
        ];
      }),
      ...normNames("norm", "model/norm"),
      ...denseNames("fc", "head"),
    ];
    const model = mixer({ patch: 2, width: 8, depth: 2, ofPlaces: 5, ofChannels: 12, epsilon: 1e-5 });
    check({ told: told.mixer!, model, x: images(3, 8, 8, 3), names });
  });

  test("a U-Net gives its logits and gradients, a class at each pixel", () => {
    const names = [
      ...[0, 1, 2].flatMap((i) =>
        [0, 1].flatMap((j) => convNames(`down.${i}.${j}`, `model/down${i + 1}/${2 * j + 1}-conv`)),
      ),
      ...[0, 1].flatMap((i) => [
        ...convNames(`up.${i}`, `model/up${i + 1}/2-conv`),
        ...[0, 1].flatMap((j) => convNames(`join.${i}.${j}`, `model/after${i + 1}/${2 * j + 1}-conv`)),
      ]),
      ...denseNames("fc", "head"),
    ];
    const model = unet({ filters: [3, 4, 6], gives: "places" });
    check({ told: told.unet!, model, x: images(2, 8, 8, 2), names });
  });

  const ends = (all: number[]): number[] => [...all.slice(0, 3), ...all.slice(-3)];
  test.each([
    ["lstm", 9, 2, true],
    ["lstmLong", 150, 1, false],
  ] as const)("%s gives its logits and gradients", (name, length, layers, bidirectional) => {
    const names = [...lstmNames(layers, bidirectional, "rnn."), ...denseNames("fc", "head")];
    const model = lstm({ units: 4, layers, bidirectional, gives: "places" });
    check({ told: told[name]!, model, x: numbers(1000, [2, length, 3], 0, 2), names, some: ends });
  });

  test.each([
    ["gru", 9],
    ["gruLong", 150],
  ] as const)("%s gives its logits and gradients", (name, length) => {
    const names = (["ih", "hh"] as const).flatMap((which): ForeignName[] => {
      const to = `model/1-gru/${which === "ih" ? "input" : "state"}`;
      return [
        { from: `rnn.weight_${which}_l0`, to: `${to}/kernel`, turn: [1, 0] },
        { from: `rnn.bias_${which}_l0`, to: `${to}/bias` },
      ];
    });
    const x = numbers(1000, [2, length, 3], 0, 2);
    const model = net().gru(4) as unknown as Model;
    check({ told: told[name]!, model, x, names: [...names, ...denseNames("fc", "head")], some: ends });
  });
});
