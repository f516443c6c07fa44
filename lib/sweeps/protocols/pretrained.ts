/** Class-incremental learning with pretrained transformers: a small benchmark that runs everywhere, and published cells with ViT-B/16. */
import { bottleneck } from "../../models/adapters/bottleneck.ts";
import type { vit } from "../../models/backbones/vit.ts";
import { from } from "../../models/from.ts";
import { headed } from "../../models/headed.ts";
import { normalized } from "../../models/heads/normalized.ts";
import type { Model } from "../../models/model.ts";
import { net } from "../../models/net.ts";
import { chain } from "../../optim/chain.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import { clip } from "../../optim/transformations/clip.ts";
import { huggingFace } from "../../runs/hugging-face.ts";
import { pretrained } from "../../runs/pretrained.ts";
import * as s from "../../strategies/index.ts";
import { limit } from "../../streams/operators/limit.ts";
import { split } from "../../streams/operators/split.ts";
import { classes } from "../../streams/sources/classes.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Protocol, PublishedCell } from "../conform.ts";

/** Few examples of each class, so that a processor is enough. */
const few = { train: 20, test: 20, perClass: true } as const;

/** The transformer that comes with the library, on digits that it has never seen. */
export const smallPretrained: Protocol = {
  id: "PTM/split-mnist",
  source: "this library, tests/bench/reference.json: three seeds, each with an order of the classes of its own",
  data: "mnist",
  scenarios: {
    b0inc2: {
      stream: (data) => split(5)(limit(few)(classes(data, { order: "run" }) as never) as never) as unknown as Stream,
      told: "taskAgnostic",
    },
    base4inc2: {
      stream: (data) =>
        split([4, 2, 2, 2])(limit(few)(classes(data, { order: "run" }) as never) as never) as unknown as Stream,
      told: "taskAgnostic",
    },
  },
  model: () => from(pretrained("vit-small")),
  optimizer: adam({ lr: 3e-3 }),
  training: { batch: 10, epochs: 3 },
  spread: { kind: "deviation", runs: 3 },
  conventions: [
    "20 training and 20 test images of each class",
    "as many passes and the same optimizer for all that is trained",
  ],
  cells: [
    { name: "naive", strategies: [s.naive()], published: {} },
    { name: "simple-cil", strategies: [s.simpleCil()], published: {} },
    { name: "ranpac", strategies: [s.ranpac({ units: 500, ridge: 100 })], published: {} },
    {
      name: "aper-bottleneck",
      strategies: [s.aper()],
      model: () => from(pretrained("vit-small")).adapt(bottleneck({ units: 16 })),
      published: {},
    },
    { name: "l2p", strategies: [s.l2p({ read: "rest" })], published: {} },
    { name: "dual-prompt", strategies: [s.dualPrompt({ general: [0], expert: [1, 2, 3] })], published: {} },
    { name: "coda-prompt", strategies: [s.codaPrompt({ components: 5 })], published: {} },
    { name: "ease", strategies: [s.ease({ units: 16 })], published: {} },
    { name: "slca", strategies: [slow(0.01)], optimizer: sgd({ lr: 0.01, momentum: 0.9 }), published: {} },
    { name: "slca-one-rate", strategies: [slow(1)], optimizer: sgd({ lr: 0.01, momentum: 0.9 }), published: {} },
  ],
  relations: ["b0inc2", "base4inc2"].flatMap((scenario) => [
    { says: "mean features ≫ training the whole network", scenario, a: "simple-cil", b: "naive", atLeast: 15 },
    { says: "prompts > training the whole network", scenario, a: "l2p", b: "naive", atLeast: 5 },
    { says: "EASE is no worse than SimpleCIL", scenario, a: "ease", b: "simple-cil", atLeast: -3 },
    { says: "a slow backbone > one rate", scenario, a: "slca", b: "slca-one-rate", atLeast: 5 },
  ]),
};

/** SLCA as few examples allow: the logits of its alignment are not evened. */
function slow(times: number) {
  return s.slca({ slow: times, rounds: 10, perClass: 64, temperature: 0 });
}

/** ViT-B/16 of Hugging Face's transformers, pretrained on ImageNet-21k, for images that are brought to 224×224. */
function vitB16(factor: number): Model {
  const folder = process.env.THALWEG_VIT_B16;
  if (folder === undefined)
    throw new Error(
      "conform: the weights of ViT-B/16 are required, got none; set THALWEG_VIT_B16 to a folder of google/vit-base-patch16-224-in21k (config.json, model.safetensors)",
    );
  const big = from(huggingFace(folder).network) as unknown as ReturnType<typeof vit>;
  return factor === 1 ? big : (net().upsample(factor, { by: "bilinear" }).through(big) as unknown as Model);
}

const tenTasks = {
  class: {
    stream: (data) => split(10)(classes(data, { order: "run" })) as unknown as Stream,
    told: "taskAgnostic",
  },
} satisfies Protocol["scenarios"];

/** As many classes at a time as twenty tasks have. */
const twentyTasks = {
  twenty: {
    stream: (data) => split(20)(classes(data, { order: "run" })) as unknown as Stream,
    told: "taskAgnostic",
  },
} satisfies Protocol["scenarios"];

/** A cell of EASE: what its program's files for weights of ImageNet-21k say, and the accuracy at the end of the log beside them. */
function easeCell(
  scenario: string,
  reached: number,
  { factor, rate, decay, batch, alpha }: { factor: number; rate: number; decay: number; batch: number; alpha: number },
): PublishedCell {
  return {
    name: "ease",
    strategies: [s.ease({ units: 64, alpha })],
    model: () => headed(vitB16(factor), normalized()),
    optimizer: sgd({ lr: rate, momentum: 0.9, weightDecay: decay }),
    training: { batch, epochs: 20 },
    published: { [scenario]: [reached] },
    differs:
      "the rate stays as it is, there it falls along half a cosine in each task; one run, with the weights of timm",
  };
}

const programs = ["images are cropped and mirrored at random there, not here", "the head is a linear one"];

/** CIFAR-100 in ten tasks, at 224×224. */
export const splitCifar100Pretrained: Protocol = {
  id: "PTM/split-cifar100",
  source:
    "the programs JH-LEE-KR/l2p-pytorch, JH-LEE-KR/dualprompt-pytorch, GengDavid/SLCA and sun-hailong/CVPR24-Ease, their settings and the papers' results they list",
  data: "cifar100",
  scenarios: { ...tenTasks, ...twentyTasks },
  model: () => vitB16(7),
  optimizer: chain(clip(1), adam({ lr: (0.03 * 16) / 256 })),
  training: { batch: 16, epochs: 5 },
  spread: { kind: "deviation", runs: 3 },
  conventions: programs,
  cells: [
    { name: "l2p", strategies: [s.l2p({ batchwise: true })], published: { class: [83.83, 0.04] }, remembered: true },
    {
      name: "dual-prompt",
      strategies: [s.dualPrompt()],
      optimizer: chain(clip(1), adam({ lr: (0.03 * 24) / 256 })),
      training: { batch: 24 },
      published: { class: [86.51, 0.33] },
      remembered: true,
    },
    {
      name: "slca",
      strategies: [s.slca()],
      optimizer: sgd({ lr: 0.01, momentum: 0.9, weightDecay: 5e-4 }),
      training: { batch: 64, epochs: 20 },
      published: { class: [91.53, 0.28] },
      remembered: true,
      differs: "the rate stays as it is, there it is a tenth in the last two passes",
    },
    easeCell("twenty", 85.8, { factor: 7, rate: 0.025, decay: 5e-4, batch: 48, alpha: 0.1 }),
  ],
};

/** ImageNet-R in ten tasks. */
export const splitImageNetRPretrained: Protocol = {
  id: "PTM/split-imagenet-r",
  source:
    "the programs JH-LEE-KR/dualprompt-pytorch, GengDavid/SLCA and sun-hailong/CVPR24-Ease, their settings and the results they or their papers list",
  data: "imagenet-r",
  scenarios: tenTasks,
  model: () => vitB16(1),
  optimizer: chain(clip(1), adam({ lr: (0.005 * 24) / 256 })),
  training: { batch: 24, epochs: 50 },
  spread: { kind: "deviation", runs: 3 },
  conventions: programs,
  cells: [
    {
      name: "dual-prompt",
      strategies: [s.dualPrompt({ expertLength: 20 })],
      published: { class: [68.13, 0.49] },
      remembered: true,
    },
    {
      name: "slca",
      strategies: [s.slca({ rounds: 5 })],
      optimizer: sgd({ lr: 0.01, momentum: 0.9, weightDecay: 5e-4 }),
      training: { batch: 64, epochs: 50 },
      published: { class: [77.0, 0.33] },
      remembered: true,
      differs: "the rate stays as it is, there it is a tenth in the last ten passes",
    },
    easeCell("class", 76.17, { factor: 1, rate: 0.05, decay: 5e-3, batch: 16, alpha: 0.1 }),
  ],
};

/** CUB-200 in ten tasks. */
export const splitCubPretrained: Protocol = {
  id: "PTM/split-cub",
  source:
    "the programs GengDavid/SLCA and sun-hailong/CVPR24-Ease, their settings and logs; Zhang et al. 2023, arXiv:2303.05118, table 2",
  data: "cub",
  scenarios: { ...tenTasks, ...twentyTasks },
  model: () => vitB16(1),
  optimizer: sgd({ lr: 0.01, momentum: 0.9, weightDecay: 5e-4 }),
  training: { batch: 64, epochs: 50 },
  spread: { kind: "deviation", runs: 3 },
  conventions: programs,
  cells: [
    {
      name: "slca",
      strategies: [s.slca({ rounds: 5 })],
      published: { class: [84.71, 0.4] },
      remembered: true,
      differs: "the rate stays as it is, there it is a tenth in the last ten passes",
    },
    easeCell("twenty", 86.81, { factor: 1, rate: 8e-3, decay: 5e-4, batch: 32, alpha: 0.05 }),
  ],
};
