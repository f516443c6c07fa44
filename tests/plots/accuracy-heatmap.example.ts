import { accuracyHeatmap } from "../../lib/plots/accuracy-heatmap.ts";
import { madeRuns } from "./runs.ts";

export default () => accuracyHeatmap(madeRuns());
