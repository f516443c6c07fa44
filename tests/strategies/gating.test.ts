import { describe, expect, test } from "vitest";
import { decode, disposeTree, random, type tf } from "../../lib/engine/index.ts";
import { adam } from "../../lib/optim/index.ts";
import { si, xdg } from "../../lib/strategies/index.ts";
import { layerAt } from "../../lib/strategies/parts/layers.ts";
import { open } from "../../lib/train/session.ts";
import {
  close,
  contextOf,
  type Dense,
  hooksOf,
  layersOf,
  matrix,
  normal,
  perceptron,
  small,
  stepOf,
} from "./by-hand.ts";
import { run, spec, stream } from "./support.ts";

describe("context-dependent gating", () => {
  const { net, weights } = small([8, 5], 2, 6);
  const streamOf = { head: "multi", tasks: 3, length: 3, facts: ["task"], shape: [2] } as never;
  const strategy = xdg({ gate: 0.6 });
  const state = hooksOf(strategy).init(contextOf(net, weights, { stream: streamOf, rng: random(3) })) as {
    tensors: Record<string, tf.Tensor>;
  };
  const masks = Object.values(state.tensors).map((t) => t.arraySync() as number[][]);

  test("closes the share of each hidden layer that it is told, other units for each task", () => {
    expect(Object.keys(state.tensors)).toHaveLength(2);
    for (const [layer, closed] of [
      [0, 4], // of 8, rounded down
      [1, 3], // of 5
    ] as const) {
      const rows = masks[layer]!;
      expect(rows.map((row) => row.filter((v) => v === 0).length)).toEqual([closed, closed, closed]);
      expect(rows.flat().every((v) => v === 0 || v === 1)).toBe(true);
      expect(new Set(rows.map((row) => row.join(""))).size).toBeGreaterThan(1);
    }
  });

  test("is a network without the closed units, row by row by the task of each", () => {
    const [x, task] = [normal(6, 2, 1), [0, 1, 2, 2, 1, 0]];
    const step = stepOf({ net, weights, x, task, through: { strategy, state } });
    const wanted = x.map((row, i) => {
      const layers = layersOf(weights).map(
        (layer, l): Dense =>
          l === 2
            ? layer
            : {
                kernel: layer.kernel.map((r) => r.map((v, j) => v * masks[l]![task[i]!]![j]!)),
                bias: layer.bias.map((v, j) => v * masks[l]![task[i]!]![j]!),
              },
      );
      return perceptron(layers, [row]).logits[0]!;
    });
    close(matrix(step.logits).flat(), wanted.flat());
  });

  test("leaves the weights into closed units untouched, bit for bit", () => {
    const told = stream({ needs: ["task"] } as never, 20);
    const session = open(spec(told, [xdg({ gate: 0.5 })], { optimizer: adam({ lr: 0.01 }) }), 0, "test");
    while (session.cursor.phase !== "train") session.advance();
    const { states } = decode(session.save()) as unknown as { states: { xdg: typeof state } };
    const first = Object.entries(states.xdg.tensors).map(
      ([path, t]) => [path, (t.arraySync() as number[][])[0]!] as const,
    );
    disposeTree(states as never);
    const kernels = (): number[][][] =>
      first.map(([path]) => layerAt(session.learner.weights, path).kernel.arraySync() as number[][]);
    const before = kernels();
    while (session.cursor.phase === "train") session.advance();
    const after = kernels();
    let moved = 0;
    before.forEach((kernel, l) => {
      kernel.forEach((row, i) => {
        row.forEach((value, unit) => {
          const now = after[l]![i]![unit];
          if (first[l]![1][unit] === 0) expect(now).toBe(value);
          else if (now !== value) moved++;
        });
      });
    });
    expect(moved).toBeGreaterThan(10);
    session.dispose();
  });

  test("goes with a penalty", () => {
    const told = stream({ needs: ["task"] } as never, 20);
    const { events } = run(spec(told, [xdg({ gate: 0.5 }), si({ c: 1 })]));
    expect(events.some((e) => e.type === "step" && e.terms.si! > 0)).toBe(true);
  });
});
