import { expand, net, random } from "thalweg";
import { describe, expect, test } from "vitest";
import { apart, at, numbers, stirred } from "./support.ts";

const x = random(2).normals([5, 8, 8, 1]);
const chain = stirred(
  net().conv(3, 3).batchNorm().relu().pool(2).conv(4, 3).relu().flatten().dense(5).relu(),
  [8, 8, 1],
);

describe("a plain chain that is made larger as by Net2Net", () => {
  test.each([
    ["1-conv", 7],
    ["5-conv", 9],
    ["8-dense", 11],
  ])("answers the same with a wider %s", (layer, units) => {
    const { network: large, report } = expand.wider(chain, layer, units, { seed: 3 });
    expect(apart(chain, large, x)).toBeLessThan(2e-6);
    expect(report.parameters[1]).toBeGreaterThan(report.parameters[0]);
  });

  test("has copies of units, whose rows in the next kernel are shares of what they were", () => {
    const made = stirred(net().dense(2, { bias: false }).relu().dense(1, { bias: false }), [1]);
    const [a, b] = numbers(at(made, "model/1-dense/kernel")) as [number, number];
    const [u, v] = numbers(at(made, "model/3-dense/kernel")) as [number, number];
    const large = expand.wider(made, "1-dense", 4, { seed: 1 }).network;
    const kernel = numbers(at(large, "model/1-dense/kernel"));
    const copies = kernel.filter((w) => w === a).length;
    expect(kernel.slice(0, 2)).toEqual([a, b]);
    numbers(at(large, "model/3-dense/kernel")).forEach((w, i) => {
      expect(w).toBeCloseTo(kernel[i] === a ? u / copies : v / (4 - copies), 6);
    });
    const noisy = expand.wider(made, "1-dense", 4, { seed: 1, noise: 0.1 }).network;
    expect(numbers(at(noisy, "model/1-dense/kernel")).slice(0, 2)).toEqual([a, b]);
    expect(numbers(at(noisy, "model/1-dense/kernel"))[2]).not.toBe(kernel[2]);
  });

  test.each(["3-relu", "6-relu", "9-relu"])("answers the same with a layer behind %s", (behind) => {
    expect(apart(chain, expand.deeper(chain, behind).network, x)).toBeLessThan(2e-6);
    expect(apart(chain, expand.deeper(chain, behind, { noise: 0.1 }).network, x)).toBeGreaterThan(1e-5);
  });

  test("says what cannot be", () => {
    expect(() => expand.wider(chain, "1-conv", 2)).toThrow("at least 3 units are required, got 2");
    expect(() => expand.wider(chain, "3-relu", 9)).toThrow("a convolution or a dense layer is required, got relu");
    expect(() => expand.deeper(chain, "1-conv")).toThrow("relu is required, got conv");
    const mixed = stirred(net().dense(4).layerNorm().dense(2), [3]);
    expect(() => expand.wider(mixed, "1-dense", 6)).toThrow("up to the next kernel are required, got layerNorm");
    expect(() => expand.deeper(stirred(net().relu().dense(2), [3]), "1-relu")).toThrow(
      "before the rectifier is required",
    );
  });
});
