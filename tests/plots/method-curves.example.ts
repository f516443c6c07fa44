import { methodCurves } from "../../lib/plots/method-curves.ts";
import { madeRuns } from "./runs.ts";

export default () =>
  methodCurves({ naive: madeRuns({ keeps: 0.5 }), ewc: madeRuns({ keeps: 0.7 }), replay: madeRuns({ keeps: 0.92 }) });
