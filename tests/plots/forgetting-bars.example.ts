import { forgettingBars } from "../../lib/plots/forgetting-bars.ts";
import { madeRuns } from "./runs.ts";

export default () =>
  forgettingBars({ naive: madeRuns({ keeps: 0.5 }), ewc: madeRuns({ keeps: 0.7 }), replay: madeRuns({ keeps: 0.92 }) });
