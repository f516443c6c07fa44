import { describe, expect, test } from "vitest";
import { type Dataset, type Examples, gather } from "../../lib/data/dataset.ts";
import { fromArrays } from "../../lib/data/from-arrays.ts";
import { rotation } from "../../lib/streams/parts/rotation.ts";
import { revolving } from "../../lib/streams/sources/index.ts";

describe("classes that come two at a time and turn", () => {
  // The pixel in the middle, which no turn moves, says which image it is; another one shows the angle.
  const each = 12;
  const labels = Array.from({ length: 3 * each }, (_, i) => i % 3);
  const image = (id: number): number[] => [0, 200, 0, 0, id + 1, 0, 0, 0, 0];
  const made = (): Dataset<"image"> =>
    fromArrays(Uint8Array.from(labels.flatMap((_, i) => image(i))), labels, {
      shape: [3, 3, 1],
      kind: "image",
      test: { x: Uint8Array.from([0, 1, 2, 3, 4, 5].flatMap(image)), y: [0, 1, 2, 0, 1, 2] },
    }) as Dataset<"image">;
  const rowsOf = (of: Examples): { label: number; pixels: number[] }[] =>
    Array.from({ length: of.length }, (_, i) => ({
      label: of.labels[i]!,
      pixels: [...gather(of, [i])].map((v) => Math.round(v * 255)),
    }));
  const under = (id: number, degrees: number): number[] => {
    const out = new Uint8Array(9);
    rotation([3, 3, 1], degrees)(Uint8Array.from(image(id)), out);
    return [...out];
  };
  const shown = (replace: boolean): { label: number; pixels: number[] }[][] => {
    const stream = revolving(made(), { classes: 3, rounds: 2, replace });
    return Array.from({ length: stream.length }, (_, i) => rowsOf(stream.experience(i).train));
  };

  test("are neighbours in turns, each seen once, on through the circle", () => {
    const stages = shown(false);
    expect(stages).toHaveLength(6);
    const seen = new Map<number, number>();
    const ids: number[] = [];
    stages.forEach((stage, index) => {
      const pair = [index % 3, (index + 1) % 3];
      // Parts of three: the second class begins, and is used up first.
      expect(stage.map(({ label }) => label)).toEqual([pair[1], pair[0], pair[1], pair[0], pair[1]]);
      for (const { label, pixels } of stage) {
        const before = seen.get(label) ?? 0;
        expect(pixels).toEqual(under(pixels[4]! - 1, (label - 1) * 60 + (360 / each) * before));
        seen.set(label, before + 1);
        ids.push(pixels[4]!);
      }
    });
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("may be seen again where that is asked for, and are tested all around", () => {
    const ids = shown(true).flatMap((stage) => stage.map(({ pixels }) => pixels[4]));
    expect(new Set(ids).size).toBeLessThan(ids.length);
    const { test: tested } = revolving(made(), { classes: 3 }).experience(0);
    expect(rowsOf(tested)).toEqual(
      [0, 1, 2].flatMap((label) => [
        { label, pixels: under(label, 0) },
        { label, pixels: under(label + 3, 180) },
      ]),
    );
  });

  test("need images of every class", () => {
    const few = (options: object) => () => revolving(made(), options);
    expect(few({ classes: 4 })).toThrow("revolving: classes must be a whole number from 2 to 3, got 4");
    expect(few({ interpolation: "cubic" })).toThrow(
      'revolving: interpolation must be "bilinear" or "nearest", got "cubic"',
    );
    expect(few({ rounds: 7 })).toThrow("revolving: 14 images of each class are required for 7 rounds, got 12");
  });
});
