/**
 * Trains the networks that come with the library, on clothes and on fractals, and writes them to lib/models/files: `npm run pretrain`, or
 * `npm run pretrain -- vit-small` for one. A training that was stopped goes on from its last checkpoint in out/pretrain. Each takes about
 * ten minutes on two processors that have nothing else to do. Then it measures them: `npm run pretrain -- --measure` does that alone.
 *
 * What is measured: a linear probe on digits, which no network was trained on, beside the same network with random weights.
 */
import { readFileSync, writeFileSync } from "node:fs";
import {
  adam,
  backbone,
  classes,
  cosine,
  digits,
  fashionMnist,
  fractals,
  from,
  linearProbe,
  loadNetwork,
  type Model,
  mnist,
  random,
  resnet18,
  saveNetwork,
  vit,
} from "thalweg";
import { type Dataset, type Examples, gather, makeDataset, mapped, select, table } from "../../lib/data/dataset.ts";
import { resized } from "../../lib/data/parts/resize.ts";

const files = new URL("../../lib/models/files/", import.meta.url).pathname;
const reference = new URL("reference.json", import.meta.url).pathname;
const shape = [28, 28, 1] as const;
const seeds = 5;

/** The networks that come with the library. */
const recipes: Readonly<Record<string, { readonly model: Model<"image">; readonly lr: number }>> = {
  "resnet-small": { model: resnet18({ filters: 8 }), lr: 2e-3 },
  "vit-small": { model: vit({ patch: 4, width: 48, depth: 4, heads: 4 }), lr: 1e-3 },
};

/** Every picture of Fashion-MNIST and half as many of 200 fractals, each set with its own classes. */
async function pictures(): Promise<Dataset<"image">> {
  const drawn = fractals({ classes: 200, perClass: 150, testPerClass: 10, sizePixels: shape[0], points: 1000 });
  const sets = [await fashionMnist(), drawn];
  const joined = (part: "train" | "test"): Examples => {
    const tables = sets.map((set) => set[part]);
    const x = tables.map((of) => {
      const rows = new Uint8Array(of.length * 784);
      of.read(every(of), rows);
      return Buffer.from(rows);
    });
    const y = tables.flatMap((of, i) =>
      Array.from(of.labels, (label) => label + (i === 0 ? 0 : sets[0]!.classes.length)),
    );
    return table(new Uint8Array(Buffer.concat(x)), Int32Array.from(y), shape, 1 / 255);
  };
  return makeDataset({
    name: "clothes-and-fractals",
    kind: "image",
    classes: sets.flatMap((set) => [...set.classes]),
    train: joined("train"),
    test: joined("test"),
    source: sets.map((set) => set.source).join("; "),
  });
}

function every(of: Examples): Uint32Array {
  return Uint32Array.from({ length: of.length }, (_, i) => i);
}

/** Trains one of the networks and writes it where the library has it. */
async function train(name: string, data: Dataset<"image">): Promise<void> {
  const { model, lr } = recipes[name]!;
  const study = classes(data)
    .augment({ shiftPixels: 2 })
    .learn(model)
    .with(adam({ lr }), cosine())
    .train({ batch: 64 })
    .evaluate({ atStart: false, share: 0 });
  const run = await study.run({ record: new URL("../../out/pretrain", import.meta.url).pathname });
  console.log(run.frame().toText());
  saveNetwork(await run.network(), files + name);
}

/** The share of test examples that a linear probe on a network's features gets right, trained on some examples of each class. */
function probe(model: Model, data: Dataset, perClass: number, seed: number): number {
  const rng = random(seed).at("probe");
  const chosen = data.classes.flatMap((_, label) => {
    const own = every(data.train).filter((row) => data.train.labels[row] === label);
    return [...rng.permutation(own.length).slice(0, perClass)].map((i) => own[i]!);
  });
  const features = backbone(model, { seed });
  const rows = (of: Examples) => {
    const parts: Float32Array[] = [];
    for (let at = 0; at < of.length; at += 256) {
      const some = every(of).slice(at, at + 256);
      parts.push(features.apply(gather(of, some), some.length, of.shape));
    }
    const all = Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
    const numbers = new Float32Array(all.buffer.slice(all.byteOffset, all.byteOffset + all.length));
    return { data: numbers, rows: of.length, columns: numbers.length / of.length };
  };
  const some = select(data.train, Uint32Array.from(chosen));
  return linearProbe(rows(some), some.labels, data.classes.length).accuracy(rows(data.test), data.test.labels);
}

/** A data set as the networks take it. */
function fitted(data: Dataset<"image">, test = Number.POSITIVE_INFINITY): Dataset<"image"> {
  const part = (of: Examples): Examples =>
    String(of.shape) === String(shape) ? of : mapped(of, resized(of.shape, shape), shape);
  const some = select(data.test, every(data.test).subarray(0, test));
  return makeDataset({ ...data, train: part(data.train), test: part(some) });
}

/** The figures of the networks that are there: mean and deviation over draws of the probe's examples and of the random weights. */
async function measure(names: readonly string[]): Promise<void> {
  const sets: [string, Dataset<"image">][] = [["digits, 8×8 resized", fitted(digits())]];
  const numbers = await mnist({ download: false }).catch(() => undefined);
  if (numbers !== undefined) sets.push(["mnist, 2,000 test examples", fitted(numbers, 2000)]);
  const table = JSON.parse(readFileSync(reference, "utf8"));
  table.pretrained ??= {};
  for (const name of names) {
    const { model } = recipes[name]!;
    const network = loadNetwork(files + name);
    const figures: Record<string, unknown> = {};
    for (const [set, data] of sets)
      for (const perClass of [10, 100]) {
        const accuracy = (of: Model) =>
          spread(Array.from({ length: seeds }, (_, seed) => probe(of, data, perClass, seed)));
        figures[`${set}: ${perClass} per class`] = { pretrained: accuracy(from(network)), random: accuracy(model) };
      }
    table.pretrained[name] = {
      what: `percent right of a linear probe (ridge) on the features, mean and deviation over ${seeds} seeds`,
      checksum: network.checksum,
      parameters: network.parameters,
      bytes: network.bytes,
      ...figures,
    };
    console.log(name, JSON.stringify(figures, null, 2));
    network.dispose();
  }
  writeFileSync(reference, `${JSON.stringify(table, null, 2)}\n`);
}

/** Mean and deviation in percent. */
function spread(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  const percent = (value: number): number => Math.round(value * 1e4) / 100;
  return { mean: percent(mean), deviation: percent(deviation) };
}

const asked = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const names = asked.length > 0 ? asked : Object.keys(recipes);
const unknown = names.filter((name) => recipes[name] === undefined);
if (unknown.length > 0)
  throw new Error(`pretrain: one of ${Object.keys(recipes).join(", ")} is required, got ${unknown.join(", ")}`);
if (!process.argv.includes("--measure")) {
  const data = await pictures();
  for (const name of names) await train(name, data);
}
await measure(names);
