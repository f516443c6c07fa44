import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { HostArray } from "../../lib/models/parts/host.ts";
import { readSafetensors, writeSafetensors } from "../../lib/models/parts/safetensors.ts";

const peers = new URL("./peers/", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "thalweg-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes bytes to a file and reads it. */
function written(bytes: Uint8Array) {
  const file = join(folder, "some.safetensors");
  writeFileSync(file, bytes);
  return readSafetensors(file);
}

describe("a file of tensors", () => {
  const sevenths = Float32Array.from([0, 1, 2, 3, 4, 5], (i) => Math.fround(Math.fround(i) / Math.fround(7)));
  const tensors = new Map<string, HostArray>([
    ["a.steps", { data: Int32Array.of(3, -4), shape: [2], dtype: "int32" }],
    ["b.kernel", { data: sevenths, shape: [2, 3], dtype: "float32" }],
    ["c", { data: Float32Array.of(1.5), shape: [], dtype: "float32" }],
    ["empty", { data: new Float32Array(0), shape: [0, 2], dtype: "float32" }],
    ["flag", { data: Uint8Array.of(1, 0, 1), shape: [3], dtype: "bool" }],
  ]);

  test("is byte for byte what the safetensors package writes, so that it reads ours", () => {
    expect(writeSafetensors(tensors, { made: "by hand" })).toEqual(
      new Uint8Array(readFileSync(`${peers}same.safetensors`)),
    );
  });

  test("gives what the package put into it", () => {
    const { tensors: read, metadata } = readSafetensors(`${peers}same.safetensors`);
    expect(metadata).toEqual({ made: "by hand" });
    expect(new Map([...read].sort(([a], [b]) => (a < b ? -1 : 1)))).toEqual(tensors);
  });

  test("gives numbers of every length as the package reads them", () => {
    const { tensors: read } = readSafetensors(`${peers}kinds.safetensors`);
    const values = (name: string) => [...read.get(name)!.data];
    expect(values("half")).toEqual([1.5, -2, 6.002187728881836e-5, 65504, 2 ** -24]);
    expect(values("brain").slice(0, 3)).toEqual([1.5, -2, 3.00405527047391e38]);
    // By its bits, as an engine that ran in this thread reads numbers below the normal ones as zero.
    expect(new Int32Array(read.get("brain")!.data.buffer)[3]).toBe(1 << 16);
    expect(values("double")).toEqual([0.1, -1e30].map(Math.fround));
    expect(values("long")).toEqual([2 ** 31 - 1, -(2 ** 31)]);
    expect([values("short"), values("tiny"), values("byte")]).toEqual([
      [-7, 7],
      [-128, 127],
      [0, 255],
    ]);
    expect(() => readSafetensors(`${peers}far.safetensors`)).toThrow(
      "weights: whole numbers of 32 bits are required, got 1099511627776 in far",
    );
    expect(() => readSafetensors(`${peers}vast.safetensors`)).toThrow(
      "weights: numbers that 32 bits can hold are required, got 1e+300 in vast",
    );
  });

  test("keeps every bit: signed zeros, infinities, and the payload of what is no number", () => {
    const bits = Int32Array.of(0x7fc00001, 0x7f800000, -0x80000000, 1);
    const odd: HostArray = { data: new Float32Array(bits.buffer), shape: [4], dtype: "float32" };
    const { data } = written(writeSafetensors(new Map([["odd", odd]]))).tensors.get("odd")!;
    expect(new Int32Array(data.buffer)).toEqual(bits);
  });

  test("says what is wrong with it when it is cut short anywhere, damaged, or of another format", () => {
    const whole = writeSafetensors(tensors);
    for (let length = 0; length < whole.length; length++)
      expect(() => written(whole.subarray(0, length)), `${length} bytes`).toThrow(/^safetensors: /);
    expect(() => written(whole.subarray(0, whole.length - 1))).toThrow(/bytes are required, got \d+: .* is cut short/);
    expect(() => written(new TextEncoder().encode("PK and so on, a zip file"))).toThrow(/begins with the length/);
    const changed = (from: string, to: string) => {
      const bytes = Buffer.from(whole);
      bytes.write(to, bytes.indexOf(from));
      return () => written(bytes);
    };
    expect(changed("[2,3]", "[2,4]")).toThrow(/32 bytes are required for b.kernel of shape \[2,4\], got 24/);
    expect(changed("[0,24]", "[8,24]")).toThrow(/24 bytes are required for b.kernel of shape \[2,3\], got 16/);
    expect(changed("[0,24]", '"many"')).toThrow(/an entry with dtype, shape and data_offsets is required for b.kernel/);
  });
});
