import { digits } from "../../lib/data/digits.ts";
import { streamSamples } from "../../lib/plots/stream-samples.ts";
import { rotated } from "../../lib/streams/sources/rotated.ts";

export default () => streamSamples(rotated(digits(), [0, 30, 60, 90]), { samples: 6 });
