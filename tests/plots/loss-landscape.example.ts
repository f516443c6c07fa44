import { lossLandscape } from "../../lib/plots/loss-landscape.ts";
import { randomly } from "./runs.ts";

const shares = Array.from({ length: 31 }, (_, index) => -0.2 + (1.4 * index) / 30);

export default () => {
  const random = randomly(11);
  const along = (low: number, barrier: number, lift: number) =>
    Array.from({ length: 5 }, () => {
      const size = 0.8 + 0.4 * random();
      return shares.map(
        (share) => low + size * (barrier * Math.exp(-(((share - 0.5) / 0.2) ** 2)) + lift * (share - low) ** 2),
      );
    });
  return lossLandscape(
    { shares, losses: { "task 0": along(0.1, 1.2, 0.8), "task 1": along(0.9, 0.7, 0.9) } },
    { ends: ["task 0", "task 1"] },
  );
};
