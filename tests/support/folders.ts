/** What lives in each folder of the library, in one sentence: the contract file of its noun says it, or for a room this table. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const lib = new URL("../../lib/", import.meta.url).pathname;

/** The contract file of a folder, whose first doc comment opens the folder's index. */
const contracts: Readonly<Record<string, string>> = {
  data: "dataset.ts",
  streams: "stream.ts",
  models: "model.ts",
  optim: "optimizer.ts",
  strategies: "strategy.ts",
  train: "fit.ts",
  metrics: "metric.ts",
  plots: "figure.ts",
  runs: "run.ts",
  sweeps: "sweep.ts",
  dsl: "study.ts",
  "models/layers": "../layer.ts",
  "streams/operators": "../operator.ts",
};

/** The rooms of the folders that have many files: of strategies by what is kept, of layers by what they do. */
export const rooms: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  strategies: {
    regularisation:
      "What is kept is knowledge of the weights: changes of those that matter, or of what they answer, cost something.",
    projection: "What is kept are directions: steps go where they do not disturb what past tasks need.",
    replay: "What is kept are examples: some of the past, or what stands for them, come again.",
    prototypes: "What is kept are statistics of features: classifiers in closed form over them.",
    architecture: "What is kept are parts of the network: each task has units, masks or columns of its own.",
    adapters: "What is kept are small parts beside a frozen network: prompts, low-rank changes, bottlenecks.",
    plasticity: "What is kept is the ability to learn: units and weights that have gone stiff begin anew.",
    baselines: "Nothing is kept, or everything: the lower and upper bounds that others are held against.",
    testtime: "What is kept is changed while it is used: learners that adapt to the unlabelled batch they predict.",
    objectives: "What is kept was learnt without a label: views that agree, parts that are restored.",
    editing: "What is kept is everything but a few facts, which are written into the network or beside it.",
    unlearning: "What is kept is everything but what was asked to be forgotten.",
    compression: "What is kept is a small network: numbers become 0, or few bits, while it learns.",
    acquisition: "What is kept is chosen: learners that ask for the labels they want.",
  },
  "models/layers": {
    basic: "Layers that act on one vector, or change its form: dense, dropout, rectifiers, flatten.",
    conv: "Layers of images: convolution and pooling.",
    norm: "Layers that bring numbers to a common scale.",
    attention: "Layers in which places of a sequence look at each other, and what puts a sequence into them.",
    recurrent: "Layers that go through a sequence place by place with a state.",
    ssm: "Layers that go through a sequence as a linear system with a state.",
    moe: "Layers of several experts, of which a router chooses.",
    audio: "Layers that make sound of what a network says of it: oscillators, filtered noise, rooms.",
    diffusion: "Layers of denoisers: what tells them the time and the class, and what is changed by it.",
    memory: "Layers that look things up in a memory of keys and values.",
    graph: "Layers that join others to more than a chain: residuals, branches, taps.",
  },
};

/** The sentence of every other folder that has no contract file of its own. */
const sentences: Readonly<Record<string, string>> = {
  "streams/sources": "Where streams begin: functions from data sets, or from nothing, to a stream.",
  "models/backbones": "Networks that give features, each a function with a few sizes to choose.",
  "models/heads":
    "Last layers, from features to the columns of the classes; the stream's scenario says how many there are.",
  "models/adapters":
    "Small trained parts that change what a network's layers answer, without changing the network's code.",
  "optim/optimizers": "Transformations of gradients to steps.",
  "optim/transformations": "Parts of chains: what changes the direction of a step before the rate.",
  "optim/wrappers": "Optimizers of an optimizer: what they do with its steps, or with the gradient it is given.",
  "optim/schedules": "Learning rates as functions of how far a run is.",
  "optim/batching":
    "Parts of a plan: how large the batches of a run are, in which order, at which size and in how many views.",
  "train/probes": "Looks inside a network while it learns: what they measure and when they are taken.",
  prune: "Networks made smaller: functions from a network and data to a network without some of its weights or units.",
  quantise: "Networks in fewer bits: functions from a network and data to a network of coarser numbers.",
  merge: "Several networks made one: functions from networks to a network.",
  edit: "Facts changed in a network: functions from a network and facts to a network.",
  expand:
    "Networks made larger, or their layers shared and put into another order: functions from a network to a network.",
  distil: "Networks taught by networks.",
  simulate: "Many machines in one process: clocks, links and what programs do on them, the same for the same seed.",
  "sweeps/protocols": "Published tables as data: settings, numbers, conventions, one file for each source.",
};

/** The sentence that says what lives in a folder below lib/, given by its path from there. */
export function sentenceOf(folder: string): string {
  const contract = contracts[folder] ?? `${folder.split("/").at(-1)!.replace(/s$/, "")}.ts`;
  const path = join(lib, folder, contract);
  if (existsSync(path)) {
    const opening = /^\/\*\*([\s\S]*?)\*\//
      .exec(readFileSync(path, "utf8"))?.[1]
      ?.replace(/^[ \t]*\* ?/gm, "")
      .trim();
    const sentence = opening?.replace(/\n\s*\n[\s\S]*$/, "").replace(/\s+/g, " ");
    if (sentence) return sentence;
  }
  const [room, parent] = [folder.split("/").at(-1)!, folder.split("/").slice(0, -1).join("/")];
  const said = sentences[folder] ?? rooms[parent]?.[room];
  if (said === undefined)
    throw new Error(
      `lib/${folder}: a sentence that says what lives there is required; open lib/${folder}/${contract} with a doc comment, or put it into tests/support/folders.ts`,
    );
  return said;
}
