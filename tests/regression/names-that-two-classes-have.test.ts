import { classes, datasets, domains, fromArrays } from "thalweg";
import { describe, expect, test } from "vitest";

const of = (names: readonly string[] | undefined, ids: readonly (string | number)[], name = "set") =>
  fromArrays([[1], [2], [1], [2]], [...ids, ...ids], { name, test: 0.5, ...(names && { classes: names }) });
const forwards = of(["cat", "dog"], ["cat", "dog"]);
const backwards = of(["dog", "cat"], ["cat", "dog"]);

describe("one name is one class", () => {
  test("domains whose classes are in another order are refused: a cat would be taken for a dog", () => {
    expect(() => domains([forwards, backwards])).toThrow(
      "domains: data sets with the same classes in one order are required, got cat, dog and dog, cat",
    );
    expect(() => domains([of(undefined, [3, 7]), of(undefined, [1, 2])])).toThrow("got 3, 7 and 1, 2");
    expect(domains([forwards, of(["cat", "dog"], ["dog", "cat"])]).length).toBe(2);
    expect(domains([forwards, of(["shirt", "shoe"], ["shirt", "shoe"])]).classes).toEqual(["cat", "dog"]);
  });

  test.each(["concat", "interleave"] as const)(
    "%s of streams with the same classes in another order is refused",
    (name) => {
      expect(() => classes(forwards)[name](classes(backwards))).toThrow(
        `${name}: the same classes in one order, or { columns }, are required, got cat, dog and dog, cat`,
      );
      expect(classes(forwards)[name](classes(backwards), { columns: "own" }).classes).toHaveLength(4);
      expect(classes(forwards)[name](classes(backwards, { order: ["cat", "dog"] })).classes).toEqual(["cat", "dog"]);
    },
  );

  test("a name that two columns have names neither", () => {
    const both = datasets([forwards, forwards]);
    expect(both.classes).toEqual(["set: cat", "set: dog", "set: cat", "set: dog"]);
    expect(() => both.slice(0, 1).split([["set: cat"], ["set: dog"]])).toThrow(
      'split: a class that one column alone has is required, got "set: cat", which columns 0 and 2 are called',
    );
  });
});
