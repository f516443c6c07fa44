import { digits } from "../../lib/data/digits.ts";
import { streamTree } from "../../lib/plots/stream-tree.ts";
import { hierarchy } from "../../lib/streams/sources/hierarchy.ts";

export default () => streamTree(hierarchy(digits(), 4));
