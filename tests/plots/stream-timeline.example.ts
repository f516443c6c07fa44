import { digits } from "../../lib/data/digits.ts";
import { streamTimeline } from "../../lib/plots/stream-timeline.ts";
import { blur } from "../../lib/streams/operators/blur.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";

export default () => streamTimeline(blur({ disjoint: 0.4, blurry: 0.2 })(split(5)(classes(digits()))));
