import { frame } from "../../lib/metrics/frame.ts";
import { parallelCoordinates } from "../../lib/plots/parallel-coordinates.ts";
import { randomly } from "./runs.ts";

export default () => {
  const random = randomly(9);
  const sweep = ["naive", "ewc", "replay"].flatMap((strategy, kind) =>
    [0.001, 0.003, 0.01, 0.03, 0.1].flatMap((lr) =>
      [50, 200, 500].map((hidden) => {
        const fit = 1 - Math.abs(Math.log10(lr) + 1.7) / 2.5;
        return { lr, hidden, strategy, accuracy: 0.15 + 0.35 * kind * fit + hidden / 8000 + 0.05 * random() };
      }),
    ),
  );
  return parallelCoordinates(frame(sweep), { log: ["lr"] });
};
