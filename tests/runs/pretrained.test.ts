import { readdirSync, readFileSync, statSync } from "node:fs";
import {
  backbone,
  classes,
  fractals,
  from,
  linearProbe,
  type Model,
  mnist,
  type Pretrained,
  pretrained,
  specFromJson,
  specHash,
  tf,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { type Dataset, type Examples, gather } from "../../lib/data/dataset.ts";

const numbers = await mnist({ download: false }).catch(() => undefined);
const names: readonly Pretrained[] = ["resnet-small", "vit-small"];

/** The share of a hundred test images that a linear probe on a model's features gets right, trained on a hundred others. */
function probe(model: Model, data: Dataset, seed: number): number {
  const features = backbone(model, { seed });
  const rows = (of: Examples) => {
    const some = Uint32Array.from({ length: 100 }, (_, i) => i);
    const found = features.apply(gather(of, some), some.length, of.shape);
    return { data: found, rows: some.length, columns: found.length / some.length };
  };
  const fitted = linearProbe(rows(data.train), data.train.labels.slice(0, 100), data.classes.length);
  return fitted.accuracy(rows(data.test), data.test.labels.slice(0, 100));
}

describe.each(names)("the network %s that comes with the library", (name) => {
  test("sees more, on average over random weights, in classes it was never trained on than the same network with random weights", () => {
    const network = pretrained(name);
    // other fractals than those of its training, whose seed was 0
    const unseen = fractals({ classes: 10, perClass: 10, testPerClass: 10, sizePixels: 28, points: 1000, seed: 77 });
    for (const data of [unseen, ...(numbers === undefined ? [] : [numbers])]) {
      const random = [0, 1, 2].map((seed) => probe(network.model, data, seed));
      const own = probe(from(network), data, 0);
      expect(own, data.name).toBeGreaterThan(random.reduce((sum, share) => sum + share / 3, 0));
    }
    network.dispose();
  });

  test("is small, says where it is from wherever the library lies, and begins a study that its JSON finds again", () => {
    const folder = new URL(`../../lib/models/files/${name}/`, import.meta.url).pathname;
    for (const file of readdirSync(folder)) expect(statSync(folder + file).size).toBeLessThan(4e6);
    const { numTensors } = tf.memory();
    const network = pretrained(name);
    expect(network.input).toEqual([28, 28, 1]);
    expect(network.toJSON()).toEqual({ network: network.checksum, file: `pretrained:${name}` });
    const data = fractals({ classes: 2, sizePixels: 28 });
    const study = classes(data).learn(from(network));
    expect(specHash(specFromJson(JSON.parse(JSON.stringify(study)), [data]))).toBe(study.hash);
    network.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test("has the figures in the reference that its numbers were measured with", () => {
    const { pretrained: figures } = JSON.parse(
      readFileSync(new URL("../bench/reference.json", import.meta.url), "utf8"),
    );
    const network = pretrained(name);
    expect(figures[name].checksum).toBe(network.checksum);
    expect(figures[name].parameters).toBe(network.parameters);
    network.dispose();
  });
});

test("a network of another name is refused with the names there are", () => {
  expect(() => pretrained("huge" as Pretrained)).toThrow(
    'pretrained: name must be "resnet-small" or "vit-small", got "huge"',
  );
});
