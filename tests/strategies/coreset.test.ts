import { describe, expect, test } from "vitest";
import { random } from "../../lib/engine/index.ts";
import { coreset } from "../../lib/strategies/acquisition/coreset.ts";
import { icarl } from "../../lib/strategies/index.ts";
import { herded } from "../../lib/strategies/parts/exemplars.ts";
import { binned, evenly } from "../../lib/strategies/parts/quantised.ts";
import { contextOf, examplesOf, hooksOf, normal, perceptron, small, softmax, unit } from "./by-hand.ts";

const { net, weights } = small([5, 4], 2, 3);
const x = normal(30, 2, 3);
const labels = x.map((_, i) => i % 3);
const train = examplesOf(x, labels);
const flat = (rows: readonly (readonly number[])[]): Float32Array => Float32Array.from(rows.flat());

/** What a coreset of all examples comes to, in ascending order. */
function chosen(options: Parameters<typeof coreset>[0]): number[] {
  const hooks = hooksOf(coreset(options));
  const context = contextOf(net, weights, {});
  return [...(hooks.beforeExperience({ at: null }, { train, index: 0 } as never, context) as { at: Uint32Array }).at];
}

describe("P390: a quantised data set", () => {
  const rows = x.map(unit);
  const apart = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, j) => s + (v - b[j]!) ** 2, 0);

  test("has bins whose every row is the best by the sums of squared distances", () => {
    const bins = binned(flat(rows), 2, 4);
    expect(bins.map(({ length }) => length)).toEqual([8, 8, 7, 7]);
    const left = new Set(rows.keys());
    for (const bin of bins) {
      const inside: number[] = [];
      for (const k of bin) {
        const gain = (i: number): number =>
          inside.reduce((s, j) => s + apart(rows[j]!, rows[i]!), 0) -
          [...left].reduce((s, j) => s + apart(rows[j]!, rows[i]!), 0);
        const most = Math.max(...[...left].map(gain));
        expect(gain(k)).toBeCloseTo(most, 4);
        left.delete(k);
        inside.push(k);
      }
    }
    expect(left.size).toBe(0);
  });

  test("is drawn evenly from its bins, whatever its size", () => {
    const bins = binned(flat(rows), 2, 4);
    const order = [...evenly(bins, random(2))];
    expect(order.toSorted((a, b) => a - b)).toEqual([...rows.keys()]);
    for (const size of [4, 9, 20]) {
      const counts = bins.map((bin) => order.slice(0, size).filter((i) => bin.includes(i)).length);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
    expect([...evenly(bins, random(3))]).not.toEqual(order);
  });

  test("is also how a method chooses its exemplars", () => {
    expect(icarl({ choose: "quantised" }).spec.options).toMatchObject({ choose: "quantised" });
    expect(() => icarl({ choose: "best" as never })).toThrow('choose must be "herding", "quantised" or "random"');
  });
});

describe("a coreset", () => {
  const { logits, features } = perceptron(weights, x);

  test("by error has the examples whose probabilities are farthest from the label", () => {
    const errors = logits.map((z, i) => Math.hypot(...softmax(z).map((p, c) => p - (c === labels[i] ? 1 : 0))));
    const hardest = [...errors.keys()].sort((a, b) => errors[b]! - errors[a]!).slice(0, 6);
    expect(chosen({ share: 0.2, by: "error" })).toEqual(hardest.sort((a, b) => a - b));
  });

  test("by herding has the same share of every class, in the order of herding", () => {
    const found = chosen({ share: 0.2, by: "herding" });
    for (const c of [0, 1, 2]) {
      const rows = [...labels.keys()].filter((i) => labels[i] === c);
      const order = herded(flat(rows.map((i) => unit(features[i]!))), features[0]!.length, 2);
      expect(found.filter((i) => labels[i] === c)).toEqual([...order].map((k) => rows[k]!).sort((a, b) => a - b));
    }
  });

  test("is what is trained on, and refuses a share of none", () => {
    const hooks = hooksOf(coreset({ share: 0.2 }));
    const own = hooks.data({ at: Uint32Array.of(1, 4) }, { train } as never, contextOf(net, weights, {}));
    expect([...own!.labels]).toEqual([1, 1]);
    expect(() => coreset({ share: 0 })).toThrow("share must be a number");
  });
});
