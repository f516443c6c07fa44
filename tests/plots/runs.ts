/** Event logs that look like training, made by formula from a seed: pictures need material, not results. */
import type { TrainEvent } from "../../lib/train/events.ts";

export interface MadeOptions {
  readonly seed?: number;
  readonly tasks?: number;
  readonly stepsEach?: number;
  /** The share of its accuracy that a task keeps for each later one. */
  readonly keeps?: number;
  /** How deep the dip right after a boundary is. */
  readonly dip?: number;
  readonly everySteps?: number;
}

/** Random numbers from 0 to 1 (mulberry32). */
export function randomly(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A run whose tasks are learned along a saturating curve, dip at each boundary and fade afterwards. */
export function madeRun({
  seed = 0,
  tasks = 5,
  stepsEach = 200,
  keeps = 0.8,
  dip = 0.15,
  everySteps = 10,
}: MadeOptions = {}): TrainEvent[] {
  const random = randomly(seed + 1);
  const noise = (size: number): number => (random() - 0.5) * size;
  const skill = Array.from({ length: tasks }, () => 0.93 + noise(0.08));
  const accuracy = (on: number, experience: number, within: number): number => {
    if (on > experience) return Math.max(0, 0.1 + noise(0.04));
    if (on === experience) return skill[on]! * (1 - Math.exp((-6 * within) / stepsEach)) + noise(0.02);
    const kept = skill[on]! * keeps ** (experience - on - 1 + within / stepsEach);
    const fall = dip * Math.exp(-(((within - 0.1 * stepsEach) / (0.08 * stepsEach)) ** 2));
    return Math.min(1, Math.max(0, kept - fall + noise(0.02)));
  };
  const evaluated = (at: "start" | "step" | "experience", experience: number, within: number): TrainEvent[] =>
    Array.from({ length: tasks }, (_, on): TrainEvent => {
      const value = accuracy(on, experience, within);
      const step = Math.max(0, experience) * stepsEach + within;
      return {
        type: "evaluated",
        step,
        at,
        after: experience,
        on,
        examples: 500,
        accuracy: value,
        taskAware: Math.min(1, value + 0.05),
        taskAgnostic: value,
        loss: 2.3 * (1 - value),
      };
    });
  const log: TrainEvent[] = [
    { type: "started", seed, step: 0, experiences: tasks, tasks, head: "single", parameters: 89_610, device: "cpu" },
    ...evaluated("start", -1, 0),
  ];
  for (let experience = 0; experience < tasks; experience++) {
    const step = experience * stepsEach;
    log.push({
      type: "boundary",
      step,
      experience,
      task: experience,
      examples: 2000,
      classes: [2 * experience, 2 * experience + 1],
      steps: stepsEach,
    });
    for (let within = 1; within <= stepsEach; within++) {
      const loss = 2.3 * Math.exp((-5 * within) / stepsEach) + 0.1 + noise(0.1);
      log.push({
        type: "step",
        step: step + within,
        experience,
        epoch: 0,
        loss: loss + 0.2,
        terms: { task: loss, ewc: 0.2 },
      });
      if (within % everySteps === 0 && within < stepsEach) log.push(...evaluated("step", experience, within));
    }
    log.push({ type: "learned", step: step + stepsEach, experience, seconds: 1 });
    log.push(...evaluated("experience", experience, stepsEach));
  }
  log.push({ type: "finished", step: tasks * stepsEach, seconds: tasks });
  return log;
}

/** Five seeds of the same. */
export function madeRuns(options: MadeOptions = {}, seeds = 5): TrainEvent[][] {
  return Array.from({ length: seeds }, (_, seed) => madeRun({ ...options, seed }));
}
