import { methodCurves } from "../../lib/plots/method-curves.ts";
import { madeRuns } from "./runs.ts";

/** Joint training is evaluated once, at the end. */
const joint = madeRuns({ keeps: 1, dip: 0 }).map((events) =>
  events.filter((event) => event.type !== "evaluated" || event.after === 4),
);

export default () =>
  methodCurves({
    naive: madeRuns({ keeps: 0.5 }),
    ewc: madeRuns({ keeps: 0.7 }),
    replay: madeRuns({ keeps: 0.92 }),
    joint,
  });
