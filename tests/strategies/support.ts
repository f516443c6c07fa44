/** Small experiments that every strategy can be put through. */
import { readFileSync } from "node:fs";
import { blobs } from "../../lib/data/blobs.ts";
import { fromText } from "../../lib/data/from-text.ts";
import { tf } from "../../lib/engine/index.ts";
import { mlp, net } from "../../lib/models/index.ts";
import type { Model } from "../../lib/models/model.ts";
import { constant, sgd } from "../../lib/optim/index.ts";
import type { Strategy, StrategyFactory } from "../../lib/strategies/strategy.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { permuted } from "../../lib/streams/sources/permuted.ts";
import { sequence } from "../../lib/streams/sources/sequence.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { open, type Session } from "../../lib/train/session.ts";
import { evaluation, type RunSpec, training } from "../../lib/train/spec.ts";
import { camel, filesOf } from "../support/members.ts";

type Factory = StrategyFactory<never, never>;

const folder = new URL("../../lib/strategies/", import.meta.url).pathname;

/** Every strategy by its file, with the text of the file. */
export const found: readonly { readonly file: string; readonly name: string; readonly text: string }[] = filesOf(
  "strategies",
  ["strategy.ts"],
).map((file) => ({ file, name: camel(file), text: readFileSync(folder + file, "utf8") }));

/** The factory that a file exports under its own name. */
export async function load({ file, name }: { file: string; name: string }): Promise<Factory> {
  return ((await import(`${folder}${file}`)) as Record<string, Factory>)[name]!;
}

/** Options that make a strategy small enough for a test. */
export function small(make: Factory, more: Record<string, number> = {}): Strategy {
  const wanted: Record<string, number> = {
    capacity: 6,
    draw: 3,
    candidates: 5,
    samples: 6,
    units: 8,
    projected: 4,
    latent: 2,
    shards: 1,
    slices: 2,
    sequences: 2,
    rounds: 6,
    maturity: 10,
    annealSteps: 20,
    // It changes what is in use in the first experience alone, which has 12 steps.
    ...((make as { strategy?: string }).strategy === "granet" && { every: 4 }),
    ...more,
  };
  const given = Object.fromEntries(Object.entries(wanted).filter(([name]) => name in (make.defaults as object)));
  return (make as unknown as (options: object) => Strategy)(given);
}

/** Whether a strategy serves streams of tokens alone. */
function readsTokens(make: Factory): boolean {
  return "defaults" in make && small(make).hooks.tokensAlone === true;
}

/** Pieces of a text of six letters, with so many sequences of four in each. */
function text(pieces: number, sequences: number): Stream {
  const windows = pieces * sequences;
  const letters = Array.from({ length: 5 * windows + 1 }, (_, i) => "abcdef"[(i * (1 + (i % 3))) % 6]).join("");
  return sequence(fromText(letters, { length: 4, test: 0.2 }), pieces) as unknown as Stream;
}

/** Blobs of six classes, two at a time, told in the way that a strategy needs. */
export function stream(make: Factory, perClass = 12): Stream {
  if (readsTokens(make)) return text(3, 2 * perClass);
  const arriving = split(3)(classes(blobs({ classes: 6, dimensions: 3, perClass, testPerClass: 6 })));
  const task = (make.needs as readonly string[]).includes("task");
  return (task ? scenario("task") : scenario("class"))(arriving as never) as unknown as Stream;
}

/** Many tasks over the same two classes. */
export function many(make: Factory, tasks: number): Stream {
  if (readsTokens(make)) return text(tasks, 16);
  const arriving = permuted(blobs({ classes: 2, dimensions: 3, perClass: 8, testPerClass: 2 }), tasks);
  const task = (make.needs as readonly string[]).includes("task");
  return (task ? scenario("task")(arriving as never) : arriving) as unknown as Stream;
}

/** A model that a strategy can adapt at test time. */
const normalising = net().dense(6).batchNorm().relu().dense(5).relu();

/** A model with blocks of attention. */
const attentive = net()
  .dense(12)
  .reshape([3, 4])
  .transformer(2, { causal: false, widen: 1 })
  .transformer(2, { causal: false, widen: 1 })
  .first() as unknown as Model;

/** A model that begins with tokens. */
const reading = net().embedding(6, 5).dense(5) as unknown as Model;

/** A model with products of two factors. */
const factored = net()
  .structured(6, { kind: "lowRank", rank: 3 })
  .relu()
  .structured(5, { kind: "lowRank", rank: 3 })
  .relu() as unknown as Model;

/** A model that takes noise away. */
const denoising = net()
  .conditions(4, { classes: 6, steps: 10, predicts: "start" })
  .dense(6)
  .modulate()
  .relu()
  .dense(3) as unknown as Model;

/** The small model that a strategy is put on: one that it has something to do in. */
export function modelFor(strategies: readonly Strategy[]): Model {
  if (strategies.some(({ hooks }) => hooks.tokensAlone === true)) return reading;
  if (strategies.some(({ hooks }) => hooks.attention === true)) return attentive;
  if (strategies.some(({ hooks }) => hooks.factors === true)) return factored;
  if (strategies.some(({ hooks }) => hooks.denoiser === true)) return denoising;
  return strategies.some(({ hooks }) => hooks.adapt !== undefined) ? normalising : mlp({ hidden: [6, 5] });
}

/** An experiment with a small network. */
export function spec(over: Stream, strategies: readonly Strategy[], more: Partial<RunSpec> = {}): RunSpec {
  return {
    stream: over,
    model: modelFor(strategies),
    strategies,
    optimizer: sgd({ lr: 0.05 }),
    schedule: constant(),
    training: training({ batch: 4, epochs: 2 }),
    evaluation: evaluation({ atStart: false }),
    ...more,
  };
}

/** Runs a session to its end, or until it has taken so many steps. */
export function advance(session: Session, steps = Number.POSITIVE_INFINITY): TrainEvent[] {
  const events: TrainEvent[] = [];
  while (session.cursor.step < steps && session.advance()) events.push(...session.queue.splice(0));
  return events;
}

/** A run from its start to its end, without what a clock said. */
export function run(given: RunSpec, seed = 0, from?: Uint8Array): { events: TrainEvent[]; weights: number[] } {
  const session = open(given, seed, "test", from);
  const events = advance(session).map((event) => ("seconds" in event ? { ...event, seconds: 0 } : event));
  const weights = numbers(session.learner.weights);
  session.dispose();
  return { events, weights };
}

/** All numbers of a tree of tensors. */
export function numbers(tree: unknown): number[] {
  if (tree instanceof tf.Tensor) return [...tree.dataSync()];
  return Object.values(tree as object).flatMap(numbers);
}
