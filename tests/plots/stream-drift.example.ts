import { streamDrift } from "../../lib/plots/stream-drift.ts";
import { procedural } from "../../lib/streams/sources/procedural.ts";

export default () =>
  streamDrift(
    procedural({
      sizePixels: 10,
      examples: 60,
      experiences: 20,
      light: { from: 1, to: 0.3, over: 8, course: "swing" },
      clutter: { from: 0, to: 20, over: 20 },
    }),
  );
