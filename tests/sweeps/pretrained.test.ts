import { expect, test } from "vitest";
import { digits } from "../../lib/data/digits.ts";
import { cellSpec } from "../../lib/sweeps/conform.ts";
import { conformCells } from "../../lib/sweeps/conform-command.ts";
import { smallPretrained, splitCifar100Pretrained } from "../../lib/sweeps/protocols/pretrained.ts";

test("cells without a published number are listed under each scenario, so that relations between them can be told", () => {
  const ids = conformCells().map(({ id }) => id);
  expect(ids).toContain("PTM/split-mnist/b0inc2/ease");
  expect(ids).toContain("PTM/split-mnist/base4inc2/ease");
  expect(ids).toContain("PTM/split-cifar100/class/l2p");
  expect(ids).toContain("PTM/split-imagenet-r/class/dual-prompt");
  expect(ids).toContain("PTM/split-cub/class/slca");
  expect(ids.filter((id) => id.startsWith("PTM/") && id.endsWith("/ease")).slice(-3)).toEqual([
    "PTM/split-cifar100/twenty/ease",
    "PTM/split-imagenet-r/class/ease",
    "PTM/split-cub/twenty/ease",
  ]);
  const names = new Set(smallPretrained.cells.map(({ name }) => name));
  for (const { a, b } of smallPretrained.relations!) expect(names.has(a) && names.has(String(b))).toBe(true);
});

test("the small benchmark begins with two classes, or with four, and goes on with two", () => {
  const cell = smallPretrained.cells.find(({ name }) => name === "simple-cil")!;
  const sizes = (scenario: string): number[] => {
    const { stream } = cellSpec(smallPretrained, scenario, cell, digits());
    return [...stream.seeded(0)].map(({ classes }) => classes.length);
  };
  expect(sizes("b0inc2")).toEqual([2, 2, 2, 2, 2]);
  expect(sizes("base4inc2")).toEqual([4, 2, 2, 2]);
});

test("published cells with ViT-B/16 say where its weights are to be put", () => {
  const before = process.env.THALWEG_VIT_B16;
  delete process.env.THALWEG_VIT_B16;
  const cell = splitCifar100Pretrained.cells[0]!;
  expect(() => cellSpec(splitCifar100Pretrained, "class", cell, digits())).toThrow(
    "conform: the weights of ViT-B/16 are required, got none; set THALWEG_VIT_B16",
  );
  if (before !== undefined) process.env.THALWEG_VIT_B16 = before;
});
