import { methodCurves } from "../../lib/plots/method-curves.ts";
import { madeRuns } from "./runs.ts";

export default () =>
  methodCurves({
    naive: madeRuns({ tasks: 5, keeps: 0.3 }),
    replay: madeRuns({ tasks: 5, keeps: 0.95 }),
    joint: madeRuns({ tasks: 5, keeps: 1 }).map((run) =>
      run.filter((event) => event.type !== "evaluated" || event.after === 4),
    ),
  });
