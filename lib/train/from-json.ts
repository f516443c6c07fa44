/** Makes an experiment again from its record, where every part of it is the library's own. */
import { existsSync } from "node:fs";
import type { Dataset, Json, Kind } from "../data/dataset.ts";
import { backbone } from "../models/backbone.ts";
import * as backbones from "../models/backbones/index.ts";
import { type FromEntry, from } from "../models/from.ts";
import { headed } from "../models/headed.ts";
import {
  type HeadLayer,
  identity,
  linear,
  type NormalizedOptions,
  normalized,
  type TiedOptions,
  tied,
  towers,
} from "../models/heads/index.ts";
import type { Initial } from "../models/initial.ts";
import type { Layer, LayerFactory } from "../models/layer.ts";
import * as layers from "../models/layers/index.ts";
import type { Model, ModelSpec } from "../models/model.ts";
import { type LayerFactories, net } from "../models/net.ts";
import { readNetwork } from "../models/parts/network-files.ts";
import { type PackedNetwork, unpackedNetwork } from "../models/parts/packed.ts";
import { folderOf } from "../models/parts/shipped.ts";
import type { NetworkEntry, TrainedNetwork } from "../models/trained.ts";
import { withChanges } from "../models/verbs.ts";
import * as batchings from "../optim/batching/index.ts";
import type { Batching } from "../optim/batching.ts";
import { optimizerFromJson } from "../optim/from-json.ts";
import type { OptimSpec, Schedule } from "../optim/optimizer.ts";
import * as schedules from "../optim/schedules/index.ts";
import * as strategies from "../strategies/index.ts";
import type { Strategy, StrategySpec } from "../strategies/strategy.ts";
import { streamFromJson } from "../streams/from-json.ts";
import type { Backbone } from "../streams/operators/features.ts";
import type { StreamSpec } from "../streams/stream.ts";
import { predicting } from "./predicting.ts";
import { type Evaluation, evaluation, type RunSpec, type Training, training } from "./spec.ts";

/** An experiment as `specJson` writes it. */
export interface SpecJson {
  readonly stream: StreamSpec;
  readonly model: ModelSpec;
  readonly strategies: readonly StrategySpec[];
  readonly optimizer: OptimSpec;
  readonly schedule: OptimSpec;
  readonly training: Training;
  readonly evaluation: Evaluation;
  readonly batching?: readonly OptimSpec[];
}

/** A part that is made by name from a record: a strategy, an optimizer, a schedule, a layer. */
interface Part {
  toJSON(): unknown;
}

/**
 * The experiment that a record describes. Data sets are found by name and checksum among those given; a network that the model begins
 * from by its checksum among `networks`, else in the file that the record names.
 *
 * @throws TypeError for a part that is not the library's own: it must be given as a value, and cannot be made of its name.
 */
export function specFromJson(json: Json, data: readonly Dataset[], networks: readonly TrainedNetwork[] = []): RunSpec {
  const spec = json as unknown as SpecJson;
  return {
    stream: streamFromJson(spec.stream, data, (each) => backboneFromJson(each, networks)),
    model: modelFromJson(spec.model, networks),
    strategies: spec.strategies.map((each) => strategyFromJson(each, networks)),
    optimizer: optimizerFromJson(spec.optimizer),
    schedule: named<Schedule>("schedule", schedules, spec.schedule),
    training: training(spec.training),
    evaluation: evaluation(spec.evaluation),
    ...(spec.batching && {
      batching: spec.batching.map((each) => named<Batching>("part of a plan", batchings, each)),
    }),
  };
}

/** The strategy of an entry; networks among its options are some of those given, or in the files that the record names. */
function strategyFromJson(spec: StrategySpec, networks: readonly TrainedNetwork[]): Strategy {
  const read: TrainedNetwork[] = [];
  const meant = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(meant);
    if (typeof (value as { readonly network?: unknown } | null)?.network !== "string") return value;
    const network = networkFromJson(value as NetworkEntry, networks);
    if (!networks.includes(network)) read.push(network);
    return network;
  };
  const options = Object.entries(spec.options as object).map(([name, value]) => [name, meant(value)] as const);
  const made = named<Strategy>("strategy", strategies, spec, Object.fromEntries(options));
  for (const network of read) network.dispose();
  return made;
}

/** The backbone that stands in the record of a stream of features. */
function backboneFromJson(spec: Json, networks: readonly TrainedNetwork[]): Backbone {
  const { model, seed } = spec as { readonly model: Json; readonly seed?: number };
  if (seed === undefined)
    throw new TypeError(
      "specFromJson: a backbone with drawn weights is required, got one whose weights were given; apply features(backbone(model, { weights })) to the stream again, or give it backbone(from(network))",
    );
  return backbone(modelFromJson(model as unknown as ModelSpec, networks), { seed });
}

/**
 * The model that a record describes; the network that it begins from is among those given, or in the file that the record names. Layers that
 * are not the library's own are given by name: `modelFromJson(spec, [], { myLayer })`.
 */
export function modelFromJson(
  { from: entry, ...whole }: ModelSpec,
  networks: readonly TrainedNetwork[] = [],
  own: LayerFactories = {},
): Model {
  if (entry !== undefined) return begunFrom(entry as unknown as FromEntry, whole, networks);
  const { changes, head, ...spec } = whole;
  if (changes !== undefined)
    return withChanges(modelFromJson(head === undefined ? spec : { ...spec, head }, networks, own), changes);
  if (head !== undefined) return headed(modelFromJson(spec, networks, own), headFromJson(head));
  if (spec.name !== "net") return named<Model>("model", backbones, { name: spec.name, options: spec.options ?? {} });
  const made = net.use(own).of((spec.layers ?? []).map((each) => layerFromJson(each, networks, own)));
  return same(made, spec) ? made : notOurs("model", spec.name);
}

function layerFromJson(spec: ModelSpec, networks: readonly TrainedNetwork[], own: LayerFactories): Layer {
  const make = { ...layers, ...own }[spec.name] as LayerFactory<unknown[], Kind, Kind, boolean> | undefined;
  if (make === undefined) return notOurs("layer", spec.name);
  const models = (spec.layers ?? []).map((each) => modelFromJson(each, networks, own));
  return make.again === undefined ? make(...argumentsOf(spec, make)) : make.again(spec.options ?? {}, models);
}

/** The model that begins from a network, with what the record puts on top of it. */
function begunFrom(
  entry: FromEntry,
  { head, changes = [], ...bare }: ModelSpec,
  networks: readonly TrainedNetwork[],
): Model {
  const network = networkFromJson(entry, networks);
  const made = from(network, { head: entry.head });
  if (!networks.includes(network)) network.dispose();
  const { from: _, head: hadHead, changes: had = [], ...own } = made.spec;
  const [wanted, given] = [
    { ...bare, changes: changes.slice(0, had.length) },
    { ...own, changes: had },
  ].map((part) => JSON.stringify(part));
  if (wanted !== given || (head === undefined && hadHead !== undefined)) return notOurs("model", bare.name);
  const topped = JSON.stringify(head) === JSON.stringify(hadHead) ? made : headed(made, headFromJson(head!));
  return withChanges(topped, changes.slice(had.length));
}

/** The network that an entry of a record stands for: among those given, or read from the file that the record names. */
export function networkFromJson({ network, file }: NetworkEntry, networks: readonly TrainedNetwork[]): TrainedNetwork {
  const found = networks.find((each) => each.checksum === network);
  if (found !== undefined) return found;
  if (file !== undefined && existsSync(folderOf(file))) {
    const read = networkFromPacked(readNetwork(folderOf(file), "specFromJson"), { file });
    if (read.checksum === network) return read;
    read.dispose();
  }
  throw new Error(
    `specFromJson: the network with checksum ${network} is required, got ${
      networks.map((each) => each.checksum).join(", ") || "none"
    }${file === undefined ? "" : `, and there is no such network in ${file}`}; give it in the list of networks`,
  );
}

/** The network that was packed; the caller frees it. `file` is where it was read from; parts that are not the library's own are given. */
export function networkFromPacked(
  packed: PackedNetwork,
  { file, ...given }: { file?: string; model?: Model | undefined; strategies?: readonly Strategy[] | undefined } = {},
): TrainedNetwork {
  const { input, strategies: specs } = packed.about;
  const model = given.model ?? modelFromJson(packed.about.model);
  if (inOrder(model.spec) !== inOrder(packed.about.model))
    throw new TypeError(
      `loadNetwork: the model ${JSON.stringify(packed.about.model)} is required, got ${JSON.stringify(model)}; give the one that was trained`,
    );
  const own = specs.map(
    (each) => given.strategies?.find((s) => same(s, each)) ?? named<Strategy>("strategy", strategies, each),
  );
  return unpackedNetwork(packed, model, predicting(model, input, own), file);
}

function headFromJson({ name, options }: NonNullable<ModelSpec["head"]>): HeadLayer {
  if (name === "linear") return linear((options as { readonly initial: Initial }).initial);
  if (name === "identity") return identity();
  if (name === "tied") return tied(options as TiedOptions);
  if (name === "towers") return towers((options as { readonly initial: Initial }).initial);
  return name === "normalized" ? normalized(options as NormalizedOptions) : notOurs("head", name);
}

/** The arguments that give a layer the options of its record: the first so many by position, the others by name. */
function argumentsOf({ name, options }: ModelSpec, make: (...args: unknown[]) => Layer): unknown[] {
  const entries = Object.entries((options ?? {}) as { readonly [key: string]: Json });
  for (let positional = 0; positional <= entries.length; positional++) {
    const rest = entries.slice(positional);
    const first = entries.slice(0, positional).map(([, value]) => value);
    const args: unknown[] = rest.length === 0 ? first : [...first, Object.fromEntries(rest)];
    try {
      if (JSON.stringify(make(...args).options) === JSON.stringify(options)) return args;
    } catch {
      // Not these: the next way of giving them.
    }
  }
  return notOurs("layer", name);
}

function named<P extends Part>(
  kind: string,
  from: object,
  spec: { readonly name: string; readonly options: Json },
  options: unknown = spec.options,
): P {
  const make = (from as Record<string, unknown>)[spec.name];
  if (typeof make !== "function") return notOurs(kind, spec.name);
  const part = make(options) as P;
  // An option that came later has its default in older records.
  const all = (part?.toJSON?.() as typeof spec | undefined)?.options;
  const whole = { ...spec, options: { ...(all as object), ...(spec.options as object) } };
  return all !== undefined && same(part, whole) ? part : notOurs(kind, spec.name);
}

function same(part: Part, spec: unknown): boolean {
  return JSON.stringify(part.toJSON()) === JSON.stringify(spec);
}

/** A spec as text, whatever the order in which its parts were added. */
function inOrder(spec: ModelSpec): string {
  return JSON.stringify(Object.entries(spec).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function notOurs(kind: string, name: string): never {
  throw new TypeError(
    `specFromJson: a ${kind} of the library is required, got "${name}"; a ${kind} of your own cannot be made of its name`,
  );
}
