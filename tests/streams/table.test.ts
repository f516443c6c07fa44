import {
  backbone,
  blobs,
  classes,
  datasets,
  digits,
  experienceTable,
  type Fluent,
  hierarchy,
  mlp,
  net,
  operators,
  permuted,
  sines,
  streamTable,
} from "thalweg";
import { expect, expectTypeOf, test } from "vitest";

const five = classes(digits()).split(5);

test("the table of a stream has a row for each experience, and only columns that say something", () => {
  const rows = five.table().rows();
  expect(Object.keys(rows[0]!)).toEqual(["experience", "task", "classes", "new", "train", "test", "steps", "drift"]);
  rows.forEach((row, i) => {
    const { train, test: tested } = five[i]!;
    expect(row).toMatchObject({ experience: i, task: i, classes: `${2 * i}, ${2 * i + 1}`, new: 2 });
    expect([row.train, row.test, row.steps]).toEqual([train.length, tested.length, Math.ceil(train.length / 10)]);
  });
  expect(rows[0]!.drift).toBe(0);
});

test("what is told, asked and limited has its column", () => {
  const asked = five.budget({ steps: 3 }).forget(["0"], { at: 2 }).validation(0.1).table().rows();
  expect(asked.map(({ steps }) => steps)).toEqual([3, 3, 3, 3, 3]);
  expect(asked.map(({ forget }) => forget)).toEqual(["", "", "0", "", ""]);
  expect(asked[0]!.validation).toBe(five.validation(0.1)[0]!.validation!.length);
  const active = five.active(20).table({ batch: 4 }).rows();
  expect(active[1]).toMatchObject({ unlabelled: five[1]!.train.length, askable: 20, steps: 5 });
});

test("the drift is the distance of the mean inputs in deviations of the first experience", () => {
  // two points far apart, then the same moved by 3 along the first axis
  const still = blobs({ classes: 2, dimensions: 2, perClass: 50, spread: 0 });
  const stream = permuted(still, 1).concat(permuted(still, 1));
  expect(
    stream
      .table()
      .rows()
      .map(({ drift }) => drift),
  ).toEqual([0, 0]);
  const turned = permuted(blobs({ classes: 2, dimensions: 8, perClass: 50 }), 4)
    .table()
    .rows();
  expect(turned.slice(1).every(({ drift }) => (drift as number) > 0.1)).toBe(true);
});

test("of a long stream some experiences are shown, of an endless one the first", () => {
  const long = five.online({ batch: 10 });
  expect(long.table({ experiences: 6 }).numRows()).toBe(6);
  expect(
    sines(Infinity)
      .table({ experiences: 3 })
      .rows()
      .map(({ experience }) => experience),
  ).toEqual([0, 1, 2]);
});

test("a stream shows its table in text, and names from data are text in the picture", () => {
  const shown = (five as unknown as Record<symbol, () => Record<string, string>>)[Symbol.for("Jupyter.display")]!();
  expect(shown["text/plain"]).toContain(experienceTable(five, { examples: 0 }).toText());
  const hostile = operators.slice(0, 1)(classes({ ...digits(), classes: ["<b>0</b>", ..."123456789"] }));
  expect(streamTable(hostile).toSVG()).not.toContain("<b>");
});

test("labels that expand are drawn as their tree", () => {
  expect(hierarchy(digits(), 3).picture().toText()).toMatch(/^Labels from coarse to fine/);
});

test("images and vectors are brought to one length where it is said, else their mixture is refused", () => {
  const unlike = [digits(), blobs({ classes: 3, dimensions: 70 })] as never;
  const stream = datasets(unlike, { shape: [70] }) as unknown as Fluent;
  expect([stream.kind, stream.shape, stream.classes.length]).toEqual(["vector", [70], 13]);
  const row = new Float32Array(70);
  stream[0]!.train.read([5], row);
  const pixels = new Uint8Array(64);
  digits().train.read([5], pixels);
  expect([...row]).toEqual([...Float32Array.from(pixels, (v) => v * digits().train.scale), 0, 0, 0, 0, 0, 0]);
  expect(() => datasets(unlike)).toThrow("got image [8,8,1] and vector [70]; bring images and vectors to one length");
});

test("features of images are vectors for the compiler too", () => {
  const stream = five.features(backbone(mlp({ hidden: [4] })));
  expectTypeOf(stream.kind).toEqualTypeOf<"vector">();
  // @ts-expect-error this model takes image examples, and the stream has vector examples
  expect(() => stream.learn(net().conv(4, 3).flatten())).toThrow(
    "learn: a model that accepts vector examples is required",
  );
  // @ts-expect-error this operator takes image examples, and this stream has vector examples
  expect(() => stream.augment({ flip: 0.5 })).toThrow("augment: a stream of image examples is required, got vector");
});
