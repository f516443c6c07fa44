/** The picture of a model. */
import { diagram, mlp, net, resnet18 } from "thalweg";
import { describe, expect, test } from "vitest";

/** The words of a picture, and how many boxes, joints and dots it has. */
function read(svg: string) {
  const words = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, word]) => word!);
  const all = [...svg.matchAll(/<(rect|text|circle)[^>]*? c?x="([-\d.]+)" c?y="([-\d.]+)"/g)];
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg)!.map(Number) as [number, number, number];
  const [, dx, dy] = /translate\((\d+) (\d+)\)/.exec(svg)!.map(Number) as [number, number, number];
  const inside = all.every(([, , x, y]) => {
    const [left, top] = [Number(x) + dx, Number(y) + dy];
    return left >= 0 && left <= width && top >= 0 && top <= height;
  });
  return { words, inside, dashed: svg.split('stroke-dasharray="4 3"').length - 1 };
}

describe("the picture of a model", () => {
  const model = net()
    .conv(4, 3)
    .tap("fine")
    .pool(2)
    .residual((n) => n.conv(4, 3).relu())
    .upsample(2)
    .read("fine")
    .branch([(n) => n, (n) => n.globalPool().dense(8).sigmoid()], { join: "multiply" })
    .flatten()
    .repeat(3, (n) => n.dense(512).relu());

  test("has a box for each layer with its shape, joints for what comes together, and dashed lines for what is remembered", () => {
    const { words, inside, dashed } = read(diagram(model, [8, 8, 1]).toSVG());
    expect(words).toEqual(
      expect.arrayContaining(["input 8×8×1", "conv 3×3, 4", "4×4×4", "+", "concat", "×", "fine", "features"]),
    );
    expect(words.filter((word) => word === "dense 512")).toHaveLength(1);
    expect(words).toContain("× 3");
    expect(dashed).toBe(1);
    expect(inside).toBe(true);
  });

  test("draws once what comes several times, but with known shapes only where they are the same", () => {
    const deep = net().repeat(4, (n) => n.residual((m) => m.dense(5).relu()));
    const words = (svg: string): number => read(svg).words.filter((word) => word === "dense 5").length;
    expect(words(diagram(deep).toSVG())).toBe(1);
    expect(words(diagram(deep, [5]).toSVG())).toBe(1);
    expect(words(diagram(mlp({ hidden: [5, 5] }), [3]).toSVG())).toBe(2);
  });

  test("is what a notebook shows, with a table of the layers and the text", () => {
    const display = (of: unknown): { [type: string]: string } =>
      (of as { [key: symbol]: () => { [type: string]: string } })[Symbol.for("Jupyter.display")]!();
    const own = display(net().dense(3).relu());
    expect(own["image/svg+xml"]).toMatch(/^<svg /);
    expect(own["text/html"]).toContain('<td style="text-align:left">units 3, bias true, initial torch</td>');
    expect(own["text/plain"]).toBe("net: dense(3) → relu");
    expect(display(diagram(model, [8, 8, 1]))["text/html"]).toContain("residual: conv(4, 3, 1)");
    expect(display(mlp({ hidden: [3] }).freeze("2-dense"))["text/plain"]).toBe(
      "mlp: flatten → dense(3) → relu; freeze 2-dense",
    );
    expect(display(resnet18())["image/svg+xml"]).toContain(">stage4-block2-body<");
  });

  test("keeps signs of other languages from the page", () => {
    const svg = diagram(net().tap("a<b&c").dense(2).read("a<b&c")).toSVG();
    expect(svg).toContain("a&lt;b&amp;c");
    expect(svg).not.toContain("a<b");
  });
});
