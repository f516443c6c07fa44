/** How a learner that adapts at test time takes shifts: how fast it recovers, and whether it collapses. */
import type { TrainEvent } from "../train/events.ts";
import { type DataFrame, frame } from "./frame.ts";
import { metric, notDefined } from "./metric.ts";
import { mean } from "./parts/summaries.ts";

/** What a batch of test examples came to as it arrived. */
interface Arrived {
  readonly task: number;
  readonly examples: number;
  readonly accuracy: number;
}

/** The batches of the last round of evaluations in which a learner adapted, in their order. */
function arrived(events: Iterable<TrainEvent>): Arrived[] {
  const rounds = [...events].flatMap((event) => (event.type === "evaluated" && event.online ? [event] : []));
  const last = rounds.at(-1);
  return rounds
    .filter(({ step, at }) => step === last?.step && at === last.at)
    .flatMap(({ on, online }) => online!.map((batch) => ({ task: on, ...batch })));
}

/**
 * The error over time of a learner that adapts at test time: one row per batch of the last round, with its task, how many examples came before
 * it, and the share predicted wrong.
 *
 * @example
 * ```ts
 * import { onlineErrors } from "thalweg";
 * const one = { taskAware: 0.75, taskAgnostic: 0.75, loss: 1, examples: 20, accuracy: 0.75 };
 * const online = [{ examples: 10, accuracy: 0.5 }, { examples: 10, accuracy: 1 }];
 * const log = [{ type: "evaluated", step: 5, at: "experience", after: 0, on: 0, ...one, online }] as const;
 * onlineErrors(log).array("error"); // [0.5, 0]
 * ```
 */
export function onlineErrors(events: Iterable<TrainEvent>): DataFrame {
  let seen = 0;
  return frame(
    arrived(events).map(({ task, examples, accuracy }, batch) => {
      const row = { task, batch, seen, error: 1 - accuracy };
      seen += examples;
      return row;
    }),
  );
}

/**
 * The batches after a shift until a learner that adapts at test time is as accurate as it is over the second half of that task, less 5 percent
 * points; the mean over the tasks after the first. 0 is a learner that no shift disturbs, or one that never gets better.
 *
 * @example
 * ```ts
 * import { recovery } from "thalweg";
 * const one = { taskAware: 0.75, taskAgnostic: 0.75, loss: 1, examples: 20, accuracy: 0.75, type: "evaluated", step: 5, at: "experience", after: 0 } as const;
 * const batches = (...all: number[]) => all.map((accuracy) => ({ examples: 10, accuracy }));
 * const log = [{ ...one, on: 0, online: batches(0.9, 0.9) }, { ...one, on: 1, online: batches(0.2, 0.5, 0.8, 0.8) }];
 * recovery(log).value; // 2
 * ```
 */
export const recovery = metric(
  "recovery",
  {
    formula: "mean over tasks of min { b : a_b ≥ mean of the second half − 0.05 }",
    higherIsBetter: false,
  },
  (events) => {
    const all = arrived(events);
    const tasks = [...new Set(all.map(({ task }) => task))].slice(1);
    if (tasks.length === 0) return notDefined("fewer than two tasks were met by a strategy that learns at test time");
    return mean(
      tasks.map((task) => {
        const own = all.filter((batch) => batch.task === task).map(({ accuracy }) => accuracy);
        const settled = mean(own.slice(Math.floor(own.length / 2)));
        return own.findIndex((accuracy) => accuracy >= settled - 0.05);
      }),
    );
  },
);

/**
 * Whether a learner that adapts at test time has collapsed: the share of all batches that come after it was last at least half as accurate as in
 * its best task. 0 is none; entropy that goes down without bounds ends near 1.
 *
 * Niu et al. 2023, arXiv:2302.12400, section 3: a collapsed network predicts one class for all.
 *
 * @example
 * ```ts
 * import { collapse } from "thalweg";
 * const one = { taskAware: 0.75, taskAgnostic: 0.75, loss: 1, examples: 20, accuracy: 0.75, type: "evaluated", step: 5, at: "experience", after: 0 } as const;
 * const batches = (...all: number[]) => all.map((accuracy) => ({ examples: 10, accuracy }));
 * collapse([{ ...one, on: 0, online: batches(0.9, 0.8, 0.1, 0.1) }]).value; // 0.5
 * ```
 */
export const collapse = metric(
  "collapse",
  { formula: "1 − (last batch with a_b ≥ ½ max_task mean a) / batches", higherIsBetter: false },
  (events) => {
    const all = arrived(events);
    if (all.length === 0) return notDefined("no strategy learns at test time");
    const tasks = [...new Set(all.map(({ task }) => task))];
    const best = Math.max(
      ...tasks.map((task) => mean(all.filter((batch) => batch.task === task).map(({ accuracy }) => accuracy))),
    );
    const last = all.findLastIndex(({ accuracy }) => accuracy >= best / 2);
    return 1 - (last + 1) / all.length;
  },
);
