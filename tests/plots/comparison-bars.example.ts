import { comparisonTable } from "../../lib/metrics/comparison-table.ts";
import { comparisonBars } from "../../lib/plots/comparison-bars.ts";
import { madeRuns } from "./runs.ts";

export default () =>
  comparisonBars(
    comparisonTable({
      naive: madeRuns({ keeps: 0.5 }),
      ewc: madeRuns({ keeps: 0.7 }),
      replay: madeRuns({ keeps: 0.92 }),
      joint: madeRuns({ keeps: 1, dip: 0 }),
    }),
  );
