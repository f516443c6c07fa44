import { gapZoom } from "../../lib/plots/gap-zoom.ts";
import { madeRuns } from "./runs.ts";

export default () => gapZoom(madeRuns({ everySteps: 2, dip: 0.25, keeps: 0.95 }), { experience: 2 });
