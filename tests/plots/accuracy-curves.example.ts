import { accuracyCurves } from "../../lib/plots/accuracy-curves.ts";
import { madeRuns } from "./runs.ts";

export default () => accuracyCurves(madeRuns({ tasks: 4 }));
