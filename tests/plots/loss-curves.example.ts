import { lossCurves } from "../../lib/plots/loss-curves.ts";
import { madeRuns } from "./runs.ts";

export default () => lossCurves(madeRuns());
