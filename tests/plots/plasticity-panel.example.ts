import { plasticityPanel } from "../../lib/plots/plasticity-panel.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { madeRun, randomly } from "./runs.ts";

function probed(seed: number): TrainEvent[] {
  const random = randomly(seed + 50);
  const points = Array.from({ length: 40 }, (_, index) => 25 * (index + 1));
  return points.flatMap((step) =>
    ["hidden 1", "hidden 2"].flatMap((layer, depth): TrainEvent[] => {
      const wear = (step / 1000) * (depth + 1) + 0.05 * random();
      const measured = {
        dormantUnits: 0.2 * wear,
        effectiveRank: 60 - 14 * wear,
        weightMagnitude: 0.02 + 0.012 * wear,
      };
      return Object.entries(measured).map(
        ([name, value]): TrainEvent => ({
          type: "probed",
          step,
          experience: Math.floor((step - 1) / 200),
          name,
          layer,
          on: null,
          value,
        }),
      );
    }),
  );
}

export default () => plasticityPanel([0, 1, 2].map((seed) => [...madeRun({ seed }), ...probed(seed)]));
