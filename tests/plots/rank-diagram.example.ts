import { criticalDifference } from "../../lib/metrics/critical-difference.ts";
import { rankDiagram } from "../../lib/plots/rank-diagram.ts";
import { randomly } from "./runs.ts";

export default () => {
  const random = randomly(5);
  const level = { naive: 0.2, "a-gem": 0.45, ewc: 0.4, lwf: 0.5, replay: 0.75, "der++": 0.82, icarl: 0.72 };
  const scores = Object.entries(level).map(([name, mean]) => [
    name,
    Array.from({ length: 12 }, () => mean + 0.3 * (random() - 0.5)),
  ]);
  return rankDiagram(criticalDifference(Object.fromEntries(scores) as Record<string, number[]>));
};
