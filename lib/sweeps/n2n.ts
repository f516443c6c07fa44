/** A small network found from a large one by policies that leave layers out and make layers smaller. */
import { needWhole, withDefaults } from "../data/options.ts";
import { type Rng, random } from "../engine/index.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Layer } from "../models/layer.ts";
import { countParameters, type Model, type Params } from "../models/model.ts";
import { net } from "../models/net.ts";
import { accuracyOf } from "../models/parts/accuracy.ts";
import { piecesOf } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { adam } from "../optim/optimizers/adam.ts";
import type { RunSpec } from "../train/spec.ts";
import { drawnAction, type Policy, policy } from "./parts/policy.ts";
import { canGo, seenOf, sizesOf, smaller } from "./parts/students.ts";
import { ofNetwork, type TrialOptions, trials } from "./trials.ts";

/** How a network is compressed. */
export interface N2nOptions extends Omit<TrialOptions, "cost"> {
  /** Rounds in which layers are left out, and in which they are made smaller. Default [100, 100]. */
  readonly rounds?: readonly [remove: number, shrink: number];
  /** Students in a round. Default 5. */
  readonly students?: number;
  /** Learning rates of the two policies. Default [0.003, 0.01]. */
  readonly lr?: readonly [remove: number, shrink: number];
  /** Shares of units and of windows that a layer may be made smaller to. Default 0.1, 0.2, …, 1. */
  readonly shares?: readonly number[];
  /** What the student may have at most, and what it has to come to; students that do not are worth less than 0 from round 15 on. */
  readonly limit?: { readonly parameters?: number; readonly accuracy?: number };
  /** Policies of an earlier search, to go on from: they take networks of any depth. */
  readonly policies?: N2nPolicies;
  /** Default 0. */
  readonly seed?: number;
}

/** The weights of the two policies, as numbers. */
export interface N2nPolicies {
  readonly remove: readonly Float32Array[];
  readonly shrink: readonly Float32Array[];
}

/** A student that was trained. */
export interface N2nStudent {
  readonly stage: "remove" | "shrink";
  readonly round: number;
  readonly reward: number;
  /** 0 where no network came out, or none smaller than the teacher. */
  readonly accuracy: number;
  readonly parameters: number;
}

/** What a compression came to. */
export interface N2n {
  /** The model of the best student, without weights: it is trained once more for as long as is wanted. */
  readonly model: Model;
  readonly best: N2nStudent;
  /** The teacher's numbers by the student's. */
  readonly compression: number;
  readonly history: readonly N2nStudent[];
  /** How many different students were trained. */
  readonly trained: number;
  readonly policies: N2nPolicies;
  /** One row for each student. */
  table(): DataFrame;
}

/**
 * Makes a small network of a large one: a policy that sees the layers in both directions says which are left out, and then, for what was best, another one
 * that goes through them with what it has said so far how much smaller each is. Every student begins anew and learns from the teacher as `study` says; the policies
 * learn from rewards (REINFORCE), `accuracy / the teacher's · C (2 − C)` with C the share of the numbers that are gone.
 *
 * `study` makes the study of a model, as `stream.learn(model).by(distil({ teacher })).train(…)`; accuracies are its metric's over `seeds`. Layers that
 * change what the next ones are (flattening, pooling, convolutions with a step) and the first one stay. A layer's window and its filters or units are made smaller. A
 * student that cannot be, or is not smaller than the teacher, is worth −1. A student that comes again is not trained again.
 *
 * Implements: P013 N2N learning
 * Ashok, Rhinehart, Beainy and Kitani 2018, "N2N learning: network to network compression via policy gradient reinforcement learning", arXiv:1709.06030, and its program.
 * Differs from the paper: what policies see of a layer is scaled by the largest there is, and says which size is asked for; paddings and steps stay; of layers
 * within residuals nothing is removed but the whole; the baseline is a running mean that begins with the first round.
 *
 * @throws TypeError for a network that is not layers in a row; RangeError where no layer can be removed or made smaller, or no student came out.
 *
 * @example
 * ```ts
 * import { blobs, classes, distil, mlp, n2n } from "thalweg";
 * const stream = classes(blobs({ classes: 3, dimensions: 4 }));
 * const teacher = await (await stream.learn(mlp({ hidden: [16, 16] })).run({ quiet: true, record: false })).network();
 * const found = await n2n(teacher, (model) => stream.learn(model).by(distil({ teacher })).train({ batch: 8, steps: 5 }), { rounds: [2, 2], students: 2 });
 * found.compression > 1; // true
 * ```
 */
export async function n2n(
  teacher: TrainedNetwork,
  study: (model: never) => { readonly spec: RunSpec },
  options: N2nOptions = {},
): Promise<N2n> {
  const { rounds, students, lr, shares, limit, policies, seed, seeds, metric } = withDefaults<
    Required<Omit<N2nOptions, "policies" | "metric">> & Pick<N2nOptions, "policies" | "metric">
  >("n2n", options, {
    rounds: [100, 100],
    students: 5,
    lr: [0.003, 0.01],
    shares: Array.from({ length: 10 }, (_, i) => (i + 1) / 10),
    limit: {},
    policies: undefined as never,
    seed: 0,
    seeds: 1,
    metric: undefined as never,
  });
  for (const count of rounds) needWhole("n2n", "rounds", count, 0);
  needWhole("n2n", "students", students);
  if (shares.length === 0 || shares.some((share) => !(share > 0 && share <= 1)))
    throw new RangeError(`n2n: shares above 0 and at most 1 are required, got ${shares.join(", ")}`);
  const start = piecesOf("n2n", teacher).map(({ layer }) => layer);
  const models = new Map<string, Model>();
  const asked = trials<{ readonly layers: readonly string[] }>(({ layers }) => study(models.get(layers) as never), {
    seeds,
    ...(metric && { metric }),
    cost: parametersOf,
  });
  const parent = await accuracyOfTeacher(teacher, study);
  const rng = random(seed).at("n2n");
  const history: N2nStudent[] = [];
  let best: { readonly student: N2nStudent; readonly layers: readonly Layer[] } | undefined;

  /** What a student is worth. */
  async function tried(layers: readonly Layer[], stage: N2nStudent["stage"], round: number): Promise<number> {
    const model = net.of(layers) as unknown as Model;
    const key = JSON.stringify(model);
    models.set(key, model);
    let found: N2nStudent = { stage, round, reward: -1, accuracy: 0, parameters: 0 };
    const parameters = fits(() => asked.costOf({ layers: key }));
    if (parameters !== null && parameters < teacher.parameters) {
      const { value } = await asked.ask({ layers: key });
      const accuracy = Number.isFinite(value) ? value : 0;
      const plain = compressionReward({ accuracy, parameters }, { accuracy: parent, parameters: teacher.parameters });
      found = { ...found, accuracy, parameters, reward: limited(plain, accuracy, parameters, limit, round) };
      if (best === undefined || found.reward > best.student.reward) best = { student: found, layers };
    }
    history.push(found);
    return found.reward;
  }

  const first = start.findIndex((layer) => sizesOf(layer) !== null);
  const removable = start.map((layer, i) => i !== first && canGo(layer));
  const remove = policy(
    {
      inputs: 5,
      actions: 2,
      bidirectional: true,
      optimizer: adam({ lr: lr[0] }),
      ...(policies && { from: policies.remove }),
    },
    rng.at("remove"),
  );
  const shrink = policy(
    {
      inputs: 6,
      actions: shares.length,
      bidirectional: false,
      optimizer: adam({ lr: lr[1] }),
      ...(policies && { from: policies.shrink }),
    },
    rng.at("shrink"),
  );
  try {
    if (removable.includes(true))
      await rewarded(remove, rounds[0], students, rng.at("removing"), (draw) => {
        const places = Float32Array.from(start.flatMap((layer) => seenOf(layer, start)));
        const actions = remove
          .chances(places)
          .map((chances, i) => (removable[i] ? drawnAction(chances, draw.at(i)) : 1));
        const layers = start.filter((_, i) => actions[i] === 1);
        return { places, actions, worth: (round) => tried(layers, "remove", round) };
      });
    const from = best?.layers ?? start;
    const sized = from.flatMap((layer, i) => (sizesOf(layer) === null ? [] : [i]));
    if (sized.length > 0)
      await rewarded(shrink, rounds[1], students, rng.at("shrinking"), (draw) => {
        const { places, actions } = said(
          shrink,
          sized.map((i) => from[i]!),
          start,
          shares,
          draw,
        );
        const layers = from.map((layer, i) => {
          const at = sized.indexOf(i);
          return at < 0 ? layer : smaller(layer, shares[actions[2 * at]!]!, shares[actions[2 * at + 1]!]!);
        });
        return { places, actions, worth: (round) => tried(layers, "shrink", round) };
      });
    if (best === undefined)
      throw new RangeError(
        "n2n: a student smaller than the teacher is required, got none; give it more rounds, or a network of which layers can be removed",
      );
    const { student, layers } = best;
    return {
      model: net.of(layers) as unknown as Model,
      best: student,
      compression: teacher.parameters / student.parameters,
      history,
      trained: asked.trained,
      policies: { remove: remove.save(), shrink: shrink.save() },
      table: () => frame(history as never),
    };
  } finally {
    remove.dispose();
    shrink.dispose();
  }
}

/**
 * What a smaller network is worth beside a larger one: `accuracy / accuracy₀ · C (2 − C)`, C being the share of the numbers that are gone.
 *
 * @example
 * ```ts
 * import { compressionReward } from "thalweg";
 * compressionReward({ accuracy: 0.9, parameters: 50 }, { accuracy: 0.9, parameters: 100 }); // 0.75
 * ```
 */
export function compressionReward(
  student: { readonly accuracy: number; readonly parameters: number },
  teacher: { readonly accuracy: number; readonly parameters: number },
): number {
  const gone = 1 - student.parameters / teacher.parameters;
  return (student.accuracy / teacher.accuracy) * gone * (2 - gone);
}

/** The reward where students have to keep limits, which bind more and more up to round 15. */
function limited(
  reward: number,
  accuracy: number,
  parameters: number,
  limit: NonNullable<N2nOptions["limit"]>,
  round: number,
): number {
  const kept = parameters <= (limit.parameters ?? parameters) && accuracy >= (limit.accuracy ?? accuracy);
  const loose = Math.max(0, 1 - round / 15) ** 4;
  return kept ? reward : loose - 1 + loose * reward;
}

/** One student that was said, and how it is found what it is worth. */
interface Rollout {
  readonly places: Float32Array;
  readonly actions: readonly number[];
  worth(round: number): Promise<number>;
}

/** Rounds of students, after each of which the policy learns by how much they were better than before. */
async function rewarded(
  by: Policy,
  rounds: number,
  students: number,
  rng: Rng,
  roll: (draw: Rng) => Rollout,
): Promise<void> {
  let usual: number | undefined;
  for (let round = 0; round < rounds; round++) {
    const rollouts = Array.from({ length: students }, (_, i) => roll(rng.at(round, i)));
    const rewards: number[] = [];
    for (const { worth } of rollouts) rewards.push(await worth(round));
    const mean = rewards.reduce((a, b) => a + b, 0) / students;
    const before = usual ?? mean;
    by.reinforce(
      rollouts.map(({ places }) => places),
      rollouts.map(({ actions }) => actions),
      rewards.map((reward) => reward - before),
    );
    usual = 0.9 * before + 0.1 * mean;
  }
}

/** How much smaller windows and units are made, one after the other; the policy sees what it has said of the layer. */
function said(
  by: Policy,
  layers: readonly Layer[],
  all: readonly Layer[],
  shares: readonly number[],
  draw: Rng,
): { readonly places: Float32Array; readonly actions: readonly number[] } {
  const places = new Float32Array(layers.length * 2 * 6);
  const actions: number[] = [];
  for (const [i, layer] of layers.entries()) {
    const seen = seenOf(layer, all);
    for (const part of [0, 1]) {
      const at = 2 * i + part;
      if (part === 1) seen[1]! *= shares[actions.at(-1)!]!;
      places.set([...seen, part], at * 6);
      actions.push(drawnAction(by.chances(places)[at]!, draw.at(i, part)));
    }
  }
  return { places, actions };
}

/** What a function gives, or null where the layers do not go together. */
function fits(make: () => number): number | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return null;
    throw error;
  }
}

/** The trained numbers of a study's network. */
function parametersOf(spec: RunSpec): number {
  return ofNetwork(spec, (_, weights) => countParameters(weights as unknown as Params));
}

/** The mean accuracy of the teacher on the tasks that its students are measured on. */
async function accuracyOfTeacher(
  teacher: TrainedNetwork,
  study: (model: never) => { readonly spec: RunSpec },
): Promise<number> {
  const { stream } = study(teacher.model as never).spec;
  const shares = Array.from({ length: stream.tasks }, (_, task) => accuracyOf(teacher, stream.test(task).examples));
  return shares.reduce((a, b) => a + b, 0) / shares.length;
}
