/** The whole of an experiment as one plain value, checked before anything is trained. */
import { createHash } from "node:crypto";
import type { Json } from "../data/dataset.ts";
import { checked, needOneOf, needShare, needWhole } from "../data/options.ts";
import { disposeTree } from "../engine/index.ts";
import type { Model } from "../models/model.ts";
import { network } from "../models/network.ts";
import { requireDenoiser } from "../models/parts/conditioned.ts";
import { type Batching, requireOneEach } from "../optim/batching.ts";
import type { Optimizer, Schedule } from "../optim/optimizer.ts";
import { blocksOf } from "../strategies/parts/blocks.ts";
import { requireCompatible, type Strategy } from "../strategies/strategy.ts";
import type { Stream } from "../streams/stream.ts";
import { highest } from "./columns.ts";
import { guarded } from "./parts/guarded.ts";

/** How an experience is trained on. A type, so that it is JSON. */
export type Training = {
  /** Examples of an experience per step. Default 10. */
  readonly batch: number;
  /** Passes over an experience. Default 1. */
  readonly epochs: number;
  /** Steps per experience in place of passes; 0 (the default) counts passes. */
  readonly steps: number;
  /** Whether the examples of an experience are reordered for every pass. Default true. */
  readonly shuffle: boolean;
  /** Whether a last batch that is not full is left out. Default false. */
  readonly dropLast: boolean;
};

/** When the tasks are evaluated. A type, so that it is JSON. */
export type Evaluation = {
  /** After every experience, or only at the end of the stream. Default "experience". */
  readonly every: "experience" | "end";
  /** Also every so many steps, on all tasks; 0 (the default) leaves it to `share`. */
  readonly everySteps: number;
  /**
   * The share of a run's work that may go into looking at the tasks within experiences, when `everySteps` is 0: learning curves and the
   * stability gap come from these looks. They are planned from counted work, so that equal runs look at equal steps. 0 never looks.
   * Default 0.05.
   */
  readonly share: number;
  /** Test examples per task for evaluations every so many steps, spread evenly over the task's; 0 takes all. Default 500. */
  readonly examples: number;
  /** Which tasks: all of the stream, or those met so far. Default "all"; an endless stream evaluates those met. */
  readonly tasks: "all" | "seen";
  /** Whether the tasks are evaluated before any training: forward transfer needs it. Default true. */
  readonly atStart: boolean;
};

export const trainingDefaults: Training = { batch: 10, epochs: 1, steps: 0, shuffle: true, dropLast: false };
export const evaluationDefaults: Evaluation = {
  every: "experience",
  everySteps: 0,
  share: 0.05,
  examples: 500,
  tasks: "all",
  atStart: true,
};

/** An experiment: everything but the seed. */
export interface RunSpec {
  readonly stream: Stream;
  readonly model: Model;
  readonly strategies: readonly Strategy[];
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly training: Training;
  readonly evaluation: Evaluation;
  /** The parts of a plan that is not fixed: batch sizes, order, resolution, views. */
  readonly batching?: readonly Batching[];
}

/** Fills in and checks how an experience is trained on. */
export function training(given: Partial<Training>): Training {
  const all = checked("train", trainingDefaults, given);
  needWhole("train", "batch", all.batch);
  needWhole("train", "epochs", all.epochs);
  needWhole("train", "steps", all.steps, 0);
  return all;
}

/** Fills in and checks when tasks are evaluated. */
export function evaluation(given: Partial<Evaluation>): Evaluation {
  const all = checked("evaluate", evaluationDefaults, given);
  needOneOf("evaluate", "every", all.every, ["experience", "end"]);
  needOneOf("evaluate", "tasks", all.tasks, ["all", "seen"]);
  needShare("evaluate", "share", all.share);
  needWhole("evaluate", "everySteps", all.everySteps, 0);
  needWhole("evaluate", "examples", all.examples, 0);
  return all;
}

/** Up to how many tasks are looked through for their classes before any training. */
const known = 4096;

/** Throws before any training when the parts of an experiment do not fit together. */
export function requireSound(spec: RunSpec): void {
  const { stream, model, strategies } = spec;
  if (!model.accepts.includes(stream.kind)) {
    throw new TypeError(
      `learn: a model that accepts ${stream.kind} examples is required, got ${model.spec.name}, which accepts ${model.accepts.join(", ")}`,
    );
  }
  const { width } = network(model, stream.shape);
  if (stream.target === "tokens" ? width.length !== 2 || width[0] !== stream.shape[0] : width.length !== 1)
    throw new RangeError(
      stream.target === "tokens"
        ? `learn: a model that gives a vector at each of ${stream.shape[0]} places is required for a stream of tokens, got features of shape [${width}]; begin it with embedding(${stream.classes.length}, units), and do not flatten it`
        : `learn: the model's features must be a vector, got shape [${width}]; end it with flatten()`,
    );
  if (stream.classes.length === 0 && stream.head !== "growing") {
    throw new TypeError(
      `learn: a stream that does not name its classes needs a growing head, got head "${stream.head}"`,
    );
  }
  if (stream.head !== "growing" && Number.isFinite(stream.tasks) && stream.tasks <= known)
    for (let task = 0; task < stream.tasks; task++) {
      const wanted = highest(stream.classesOf(task));
      if (wanted > stream.classes.length)
        throw new RangeError(
          `learn: names for all classes are required for a head of fixed size, got ${stream.classes.length} names and class ${wanted - 1} in task ${task}; name them, or use scenario("class", { head: "growing" })`,
        );
    }
  requireCompatible(strategies, stream);
  const within = strategies.find(({ hooks }) => hooks.attention === true);
  if (within !== undefined && blocksOf({ model, input: stream.shape }).paths.length === 0)
    throw new TypeError(
      `${within.spec.name}: a model with blocks of attention is required, got ${model.spec.name}; learn from(pretrained("vit-small")), or another vit()`,
    );
  const cleans = strategies.find(({ hooks }) => hooks.denoiser === true);
  if (cleans !== undefined) requireDenoiser(cleans.spec.name, model, stream.shape);
  requireKeptHead(model, stream);
  requirePlan(spec);
}

/** Throws unless a head that is kept from another network has columns for the first classes of the stream. */
function requireKeptHead({ start }: Model, { classes }: Stream): void {
  if (start === undefined || classes.length === 0) return;
  const { head, classes: had } = start();
  disposeTree(head);
  if (had.every((name, i) => name === classes[i])) return;
  const few = (names: readonly string[]): string => `${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`;
  throw new TypeError(
    `from: a stream that begins with the classes of the network is required to keep its head, got ${few(classes)} for ${few(had)}; take from(network, { head: "new" })`,
  );
}

/** Throws when the parts of a plan do not go together, or with what the stream gives. */
function requirePlan({ stream, batching = [] }: RunSpec): void {
  requireOneEach(batching);
  for (const { spec, plan } of batching) {
    if ((plan.side !== undefined || plan.images === true) && (stream.kind !== "image" || stream.shape.length !== 3))
      throw new TypeError(
        `${spec.name}: a stream of images is required, got ${stream.kind} of shape [${stream.shape}]`,
      );
    if (plan.losses === true && stream.target !== "class")
      throw new TypeError(
        `${spec.name}: a stream that asks for one class is required, got one that asks for "${stream.target}"`,
      );
  }
}

/** An experiment with its stream as one seed has it, checked; what is asked of the stream later is looked at then. */
export function settled(given: RunSpec, seed: number): RunSpec {
  const spec: RunSpec = { ...given, stream: guarded(given.stream.seeded(seed), given.model) };
  requireSound(spec);
  return spec;
}

/** An experiment as plain JSON: the key of its results. */
export function specJson(spec: RunSpec): Json {
  return {
    stream: spec.stream.toJSON() as unknown as Json,
    model: spec.model.toJSON() as unknown as Json,
    strategies: spec.strategies.map((s) => s.toJSON()) as unknown as Json,
    optimizer: spec.optimizer.toJSON() as unknown as Json,
    schedule: spec.schedule.toJSON() as unknown as Json,
    training: spec.training,
    evaluation: spec.evaluation,
    ...(spec.batching !== undefined && spec.batching.length > 0
      ? { batching: spec.batching.map((part) => part.toJSON()) as unknown as Json }
      : {}),
  };
}

/** A short fingerprint of an experiment: equal experiments have equal ones. */
export function specHash(spec: RunSpec): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(specJson(spec))))
    .digest("hex")
    .slice(0, 16);
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  // where a network was loaded from changes nothing: its checksum is there too
  const file = "network" in value ? "file" : undefined;
  return Object.fromEntries(
    Object.keys(value)
      .filter((key) => key !== file)
      .sort()
      .map((key) => [key, sorted((value as { [key: string]: Json })[key]!)]),
  );
}
