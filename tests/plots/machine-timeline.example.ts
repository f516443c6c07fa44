import { machineTimeline } from "../../lib/plots/machine-timeline.ts";
import { clock } from "../../lib/simulate/clock.ts";

/** Three workers of different speed who meet at a server twice. */
const names = ["worker 0", "worker 1", "worker 2", "server"];
const time = clock({ machines: names, link: { latency: 0.1, bandwidth: 100 } });
for (const k of [0, 1, 2])
  time.spawn(k, function* (me) {
    for (let round = 0; round < 2; round++) {
      yield* me.work(1 + 0.5 * k, "gradient");
      me.send(3, "gradient", null, 20);
      yield* me.receive("weights");
    }
  });
time.spawn(3, function* (me) {
  for (let round = 0; round < 2; round++) {
    for (let k = 0; k < 3; k++) yield* me.receive("gradient");
    yield* me.work(0.2, "step");
    for (let k = 0; k < 3; k++) me.send(k, "weights", null, 20);
  }
});
await time.run();

export default () => machineTimeline(time.spans, names);
