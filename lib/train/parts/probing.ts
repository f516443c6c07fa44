/** When a run probes its network, and the events that come of it. */
import type { Network } from "../../models/network.ts";
import type { Strategy } from "../../strategies/strategy.ts";
import type { Stream } from "../../streams/stream.ts";
import type { Frozen } from "../evaluate.ts";
import type { Probed } from "../events.ts";
import { inside } from "../probes/inside.ts";
import { networkProbes } from "../probes/network-probes.ts";
import { spread } from "../score.ts";

/** Test examples that the network is probed with: no rank of its features can be larger. */
const examples = 64;

/** What the probes find with the test examples of a task, as events. */
export function probed(
  network: Network,
  strategies: readonly Strategy[],
  frozen: Frozen,
  stream: Stream,
  { step, experience }: Pick<Probed, "step" | "experience">,
  task: number,
): Probed[] {
  const table = spread(stream.test(task).examples, examples);
  if (table.length === 0) return [];
  const told = stream.facts.includes("task") ? task : null;
  const found = networkProbes(inside(network, strategies, frozen, table, told), { rows: examples });
  return found.map((probe) => ({ type: "probed", step, experience, on: task, ...probe }));
}
