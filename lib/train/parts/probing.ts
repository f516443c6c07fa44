/** When a run probes its network, and the events that come of it. */
import type { Network } from "../../models/network.ts";
import type { Strategy } from "../../strategies/strategy.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Frozen } from "../evaluate.ts";
import type { Probed } from "../events.ts";
import { workOf } from "../probes/cadence.ts";
import { inside } from "../probes/inside.ts";
import { networkProbes } from "../probes/network-probes.ts";
import { spread } from "../score.ts";
import type { RunSpec } from "../spec.ts";
import type { Cursor } from "../state.ts";

/** Test examples that the network is probed with: no rank of its features can be larger. */
const examples = 64;

/** What a probe costs, in the passes of examples that evaluations are counted in. */
const cost = 3000;
/** Ends of experiences at which a run is probed whatever it costs. */
const few = 10;

/**
 * Whether the network is probed after the evaluations that were just done: before training, at the end of the last experience, at the
 * ends of all where they are few, and wherever the work since the last time has earned its cost.
 */
export function probeDue({ stream, training, evaluation }: RunSpec, { at, experience, step, probed }: Cursor): boolean {
  if (evaluation.share === 0) return false;
  if (at === "start") return true;
  if (at === "experience" && (stream.length <= few || experience === stream.length - 1)) return true;
  return cost <= evaluation.share * workOf(step - probed, training.batch);
}

/** What the probes find with test examples of the task of the experience, as events. */
export function probed(
  network: Network,
  strategies: readonly Strategy[],
  frozen: Frozen,
  stream: Stream,
  { step, experience }: Cursor,
): Probed[] {
  const task = stream.taskOf(experience);
  const table = spread(stream.test(task).examples, examples);
  if (table.length === 0) return [];
  const told = stream.facts.includes("task") ? task : null;
  const found = networkProbes(inside(network, strategies, frozen, table, told), { rows: examples });
  return found.map((probe) => ({ type: "probed", step, experience, on: task, ...probe }));
}
