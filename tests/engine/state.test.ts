import { decode, disposeTree, encode, leaves, mapTree, paths, random, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";

describe("saved state", () => {
  test("comes back as it was: tensors, arrays, generators, maps, sets, and numbers that JSON cannot hold", () => {
    const rng = random(3);
    rng.uint32();
    const value = {
      w: tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      flags: tf.tensor1d([1, 0], "int32"),
      odd: [Number.NaN, Number.POSITIVE_INFINITY, -0, 1.5, null, undefined],
      bytes: new Uint8Array([1, 2, 255]),
      wide: new Float64Array([Math.PI]),
      map: new Map<unknown, unknown>([["a", new Int32Array([7])]]),
      set: new Set([1, "b"]),
      $key: "a name that begins with $",
      rng,
    };
    const back = decode(encode(value)) as typeof value;
    expect([...back.w.dataSync()]).toEqual([1, 2, 3, 4]);
    expect([back.w.shape, back.flags.dtype]).toEqual([[2, 2], "int32"]);
    expect(back.odd).toEqual(value.odd);
    expect(Object.is(back.odd[2], -0)).toBe(true);
    expect([back.bytes, back.wide, back.map, back.set, back.$key]).toEqual([
      value.bytes,
      value.wide,
      value.map,
      value.set,
      value.$key,
    ]);
    expect(back.rng.uint32()).toBe(rng.uint32());
    disposeTree([value.w, value.flags, back.w, back.flags]);
  });

  test("is the same bytes from the same value", () => {
    const make = (): Uint8Array => encode({ a: new Float32Array([1, 2]), b: [1, { c: "x" }] });
    expect(make()).toEqual(make());
  });

  test("cut short or of another kind is refused, wherever it is cut", () => {
    const bytes = encode({ a: new Float32Array(10), b: "text" });
    for (const length of [0, 3, 8, 20, bytes.length - 1])
      expect(() => decode(bytes.subarray(0, length))).toThrow(/^decode: /);
    expect(() => encode({ f: () => 1 })).toThrow("encode: plain data is required, got a function");
    expect(() => encode({ d: new Date() })).toThrow("encode: plain data is required, got a Date");
  });
});

describe("trees", () => {
  test("are walked in one order, by path and by leaf", () => {
    const tree = { b: [1, 2], a: { c: 3 } };
    expect(leaves<number>(tree)).toEqual([1, 2, 3]);
    expect(paths<number>(tree)).toEqual([
      ["b/0", 1],
      ["b/1", 2],
      ["a/c", 3],
    ]);
    expect(mapTree((x: number, y: number) => x * y, tree, { b: [10, 10], a: { c: 10 } })).toEqual({
      b: [10, 20],
      a: { c: 30 },
    });
  });

  test("of different shape are refused with the place", () => {
    expect(() => mapTree((x: number) => x, { a: { b: 1 } }, { a: {} } as never)).toThrow('a later tree lacks "/a/b"');
    expect(() => mapTree((x: number) => x, { a: [1] }, { a: 2 } as never)).toThrow(
      'got a leaf at "/a" of a later tree',
    );
  });
});

describe("gradients", () => {
  test("of Σw² are 2w, and what the function gives beside is kept", () => {
    const params = { w: tf.tensor1d([1, -2, 3]), unused: tf.scalar(5) };
    const before = tf.memory().numTensors;
    const { value, grads, aux } = valueAndGrad(
      (p) => [tf.sum(tf.square(p.w)), { twice: tf.mul(p.w, 2) }] as const,
      params,
    );
    expect(value.dataSync()[0]).toBe(14);
    expect([...grads.w.dataSync()]).toEqual([2, -4, 6]);
    expect(grads.unused.dataSync()[0]).toBe(0);
    expect([...aux.twice.dataSync()]).toEqual([2, -4, 6]);
    disposeTree([value, grads, aux]);
    expect(tf.memory().numTensors).toBe(before);
    disposeTree(params);
  });
});
