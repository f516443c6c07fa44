import { expect, test } from "vitest";
import { blobs, classes, mlp, tricksTable } from "../../lib/index.ts";

test("the tricks table (P382) has a row for each trick, with accuracies of first, later and all classes", async () => {
  const data = classes(blobs({ classes: 4, dimensions: 4, perClass: 6, testPerClass: 4 }));
  const study = data.fewShot({ base: 2, ways: 1, shots: 2 }).learn(mlp({ hidden: [4] }));
  const { table, rows } = await tricksTable(study, { rows: "left out", quiet: true, record: false });
  expect(rows.map(({ name }) => name)).toEqual([
    "all",
    "− contrastive",
    "− assigned",
    "− pseudo",
    "− finetune",
    "− subnet",
    "− pretrain",
    "− signal",
  ]);
  expect(rows[4]!.tricks).not.toContain("subnet");
  expect(table.columnNames()).toEqual(["tricks", "group", "base", "later", "average", "±"]);
  for (const { base, later, average } of rows) {
    // eight test examples of the first two classes, and four of each later one
    expect((base[0]! * 8) % 1).toBeCloseTo(0, 6);
    expect((later[0]! * 8) % 1).toBeCloseTo(0, 6);
    expect(average[0]).toBeGreaterThan(0);
    expect(average[0]).toBeLessThanOrEqual(1);
  }
  const alone = classes(blobs({ classes: 2 })).learn(mlp({ hidden: [4] }));
  await expect(tricksTable(alone)).rejects.toThrow(/later experiences is required, got 1/);
});
