import { expect, test } from "vitest";
import { random, type tf } from "../../lib/engine/index.ts";
import { network } from "../../lib/models/index.ts";
import type { Model } from "../../lib/models/model.ts";
import { der20SplitMnist } from "../../lib/sweeps/protocols/index.ts";

// Dark experience replay's networks draw every layer by Glorot's rule. The head did not, and FDR with small memories came out 8 points low.
test.each(["fdr-200", "fdr-500", "fdr-5120"])(
  "all layers of %s begin by the rule of its source, the head among them",
  (name) => {
    const cell = der20SplitMnist.cells.find((c) => c.name === name);
    const net = network(cell!.model as Model, [28, 28, 1]);
    const { head } = net.init(random(0), 10);
    const bound = Math.sqrt(6 / (100 + 10));
    const kernel = [...(head.kernel as tf.Tensor).dataSync()];
    expect(Math.max(...kernel.map(Math.abs))).toBeLessThanOrEqual(bound);
    // by PyTorch's rule none would be above 1/√100
    expect(Math.max(...kernel.map(Math.abs))).toBeGreaterThan(0.9 * bound);
    expect([...(head.bias as tf.Tensor).dataSync()].every((v) => v === 0)).toBe(true);
  },
);
