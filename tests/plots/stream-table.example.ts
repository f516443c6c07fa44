import { digits } from "../../lib/data/digits.ts";
import { streamTable } from "../../lib/plots/stream-table.ts";
import { blur } from "../../lib/streams/operators/blur.ts";
import { budget } from "../../lib/streams/operators/budget.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { unlabel } from "../../lib/streams/operators/unlabel.ts";
import { classes } from "../../lib/streams/sources/classes.ts";

export default () =>
  streamTable(
    unlabel(0.5)(budget({ steps: 30 })(blur({ disjoint: 0.4, blurry: 0.2 })(split([2, 3, 5])(classes(digits()))))),
  );
