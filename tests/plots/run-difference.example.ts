import { runDifference } from "../../lib/plots/run-difference.ts";
import { madeRuns } from "./runs.ts";

export default () => runDifference(madeRuns({ keeps: 0.92 }), madeRuns({ keeps: 0.6 }), { names: ["replay", "ewc"] });
