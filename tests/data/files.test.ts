/** The files of fixtures.json were written by NumPy, SciPy, Pillow, PyArrow and Python's tarfile, not by us. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cifar10 } from "../../lib/data/cifar10.ts";
import { cifar100 } from "../../lib/data/cifar100.ts";
import { type Examples, gather, gatherTargets } from "../../lib/data/dataset.ts";
import { emnist } from "../../lib/data/emnist.ts";
import { fromArrow } from "../../lib/data/from-arrow.ts";
import { fromCsv } from "../../lib/data/from-csv.ts";
import { fromFolder } from "../../lib/data/from-folder.ts";
import { fromNpy } from "../../lib/data/from-npy.ts";
import { fromParquet } from "../../lib/data/from-parquet.ts";
import { fromTextFile } from "../../lib/data/from-text.ts";
import { kmnist } from "../../lib/data/kmnist.ts";
import { decodeImage } from "../../lib/data/parts/images.ts";
import { readMat } from "../../lib/data/parts/mat.ts";
import { readNpy, readZip } from "../../lib/data/parts/npy.ts";
import { svhn } from "../../lib/data/svhn.ts";

const fixtures = JSON.parse(readFileSync(new URL("fixtures.json", import.meta.url), "utf8")) as Record<string, string>;
const bytes = (name: string): Uint8Array => new Uint8Array(Buffer.from(fixtures[name]!, "base64"));
const raw = (of: Examples, i: number): number[] => {
  const out = new Uint8Array(of.shape.reduce((a, b) => a * b, 1));
  of.read([i], out);
  return [...out];
};

let folder: string;
const put = (name: string, as = name): string => {
  const path = join(folder, as);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, bytes(name));
  return path;
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "thalweg-files-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("NumPy files", () => {
  test("arrays keep their shape and numbers", () => {
    expect(readNpy(bytes("f8.npy"), "a")).toEqual({ shape: [2, 2], values: Float32Array.of(1.5, -2, 3, 4000) });
    expect(readNpy(bytes("u1.npy"), "a")).toEqual({
      shape: [2, 3, 4],
      values: Uint8Array.from({ length: 24 }, (_, i) => i),
    });
    expect([...readNpy(bytes("i8.npy"), "a").values]).toEqual([3, -1, 2 ** 40]);
  });

  test("what cannot be read is an error that says what to do", () => {
    expect(() => readNpy(bytes("fortran.npy"), "a.npy")).toThrow("a.npy: an array in C order is required");
    expect(() => readNpy(bytes("c16.npy"), "a.npy")).toThrow("got <c16; convert it with astype");
    expect(() => readNpy(bytes("f8.npy").subarray(0, -3), "a.npy")).toThrow("promises 32 bytes, got 29");
    expect(() => readNpy(Uint8Array.of(1, 2, 3), "a.npy")).toThrow("a NumPy file is required");
    expect(() => readZip(bytes("keras.npz").subarray(0, -9), "k.npz")).toThrow("a whole zip archive is required");
  });

  test("an archive with Keras' names is a data set", async () => {
    const data = await fromNpy({ npz: put("keras.npz") });
    expect([data.train.length, data.test.length, data.kind, ...data.shape]).toEqual([4, 2, "image", 3, 4, 1]);
    expect(raw(data.train, 1)).toEqual([12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
    expect([...data.test.labels]).toEqual([1, 0]);
  });

  test("rows of numbers are a regression", async () => {
    const data = await fromNpy({ npz: put("plain.npz"), x: "x", y: "y" }, { target: "numbers", test: 0.25 });
    expect([data.target, data.classes.join(), data.train.length]).toEqual(["numbers", "y0,y1", 3]);
    const [x, y] = [gather(data.train, [0]), gatherTargets(data.train, [0])];
    expect([...y]).toEqual([x[0]! + 1, x[0]! + 2]);
    await expect(fromNpy({ npz: put("plain.npz") })).rejects.toThrow("arrays x_train and y_train are required");
  });
});

describe("images", () => {
  const rows = [0, 50, 100, 150, 200, 255];
  test("PNGs of all kinds are decoded", () => {
    expect([...decodeImage(bytes("grey.png"), "a").bytes]).toEqual(rows);
    const colour = [0, 150, 255, 50, 200, 205, 100, 255, 155, 150, 0, 105, 200, 50, 55, 255, 100, 0];
    expect(decodeImage(bytes("rgb.png"), "a")).toEqual({ shape: [2, 3, 3], bytes: Uint8Array.from(colour) });
    expect([...decodeImage(bytes("rgba.png"), "a").bytes]).toEqual(colour);
    expect([...decodeImage(bytes("palette.png"), "a").bytes]).toEqual(colour);
    expect([...decodeImage(bytes("deep.png"), "a").bytes]).toEqual(rows);
    expect([...decodeImage(bytes("bits.png"), "a").bytes]).toEqual([0, 0, 255, 255, 255, 255]);
  });

  test("JPEGs are decoded to within what they lose", () => {
    const { shape, bytes: got } = decodeImage(bytes("flat.jpg"), "a");
    expect(shape).toEqual([16, 16, 3]);
    [200, 100, 50].forEach((v, c) => {
      expect(Math.abs(got[c]! - v)).toBeLessThan(4);
    });
  });

  test("what is no image, or a damaged one, is named", () => {
    expect(() => decodeImage(Uint8Array.of(1, 2, 3), "cat.png")).toThrow("cat.png: a PNG or JPEG image is required");
    expect(() => decodeImage(bytes("rgb.png").subarray(0, 40), "cat.png")).toThrow(
      "cat.png: a whole image is required",
    );
    expect(() => decodeImage(bytes("flat.jpg").subarray(0, 60), "cat.jpg")).toThrow(
      "cat.jpg: a whole image is required",
    );
  });

  test("a folder of folders is a data set, with a class for every folder", async () => {
    for (const [i, kind] of ["cat", "dog/large", "cat", "dog/large"].entries())
      put("grey.png", `pets/${kind}/${i}.png`);
    const seen: number[] = [];
    const data = await fromFolder(join(folder, "pets"), { test: 0.5, progress: (n) => seen.push(n) });
    expect([data.name, data.classes.join(), data.train.length, data.test.length]).toEqual([
      "pets",
      "cat,dog/large",
      2,
      2,
    ]);
    expect(raw(data.train, 0)).toEqual(rows);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test("folders train and test are the two parts; mixed sizes need a shape", async () => {
    put("grey.png", "set/train/a/1.png");
    put("flat.jpg", "set/train/b/1.jpg");
    put("grey.png", "set/test/a/2.png");
    await expect(fromFolder(join(folder, "set"))).rejects.toThrow(
      /images of one size are required, got \[2,3,1\] in .*1\.png and \[16,16,3\] in .*1\.jpg; give the \{ shape \}/,
    );
    const data = await fromFolder(join(folder, "set"), { shape: [4, 4, 1] });
    expect([data.train.length, data.test.length]).toEqual([2, 1]);
    const jpeg = raw(data.train, [...data.train.labels].indexOf(1));
    expect(jpeg.every((v) => Math.abs(v - 350 / 3) < 5)).toBe(true); // colour becomes its mean
    await expect(fromFolder(join(folder, "set/test/a/none"))).rejects.toThrow();
  });
});

describe("tables", () => {
  const checkTable = async (data: Awaited<ReturnType<typeof fromCsv>>) => {
    expect([data.classes.join(), data.train.length, data.test.length]).toEqual(["x,y", 2, 2]);
    for (const part of [data.train, data.test])
      for (let i = 0; i < 2; i++) {
        const [a, b] = gather(part, [i]);
        expect(b).toBe(10 * a!);
        expect(part.labels[i]).toBe((a! + 1) % 2);
      }
  };

  test("CSV, Parquet and Arrow give the same data set", async () => {
    const csv = join(folder, "table.csv");
    writeFileSync(csv, "a,b,kind\n1,10,x\n2,20,y\n3,30,x\n4,40,y\n");
    const options = { label: "kind", test: 0.5, name: "t" };
    const sets = [
      await fromCsv(csv, options),
      await fromParquet(put("table.parquet"), options),
      await fromArrow(put("table.arrow"), options),
    ];
    for (const data of sets) await checkTable(data);
    expect(new Set(sets.map((data) => data.checksum)).size).toBe(1);
  });

  test("numbers can be asked for, of chosen columns", async () => {
    const data = await fromParquet(put("table.parquet"), { numbers: ["b"], features: ["a"] });
    expect([data.target, data.classes.join(), ...data.shape]).toEqual(["numbers", "b", 1]);
    expect(gatherTargets(data.train, [0])[0]).toBe(10 * gather(data.train, [0])[0]!);
  });

  test("a column that is not there, or not of numbers, is named", async () => {
    const path = put("table.parquet");
    await expect(fromParquet(path, { label: "sort" })).rejects.toThrow(
      "a column of the table is required, got sort; it has a, b, kind",
    );
    await expect(fromParquet(path, { label: "a" })).rejects.toThrow(
      'got "x" in column kind, row 0; leave the column out',
    );
    await expect(fromParquet(path, {})).rejects.toThrow("a column of labels");
  });

  test("Hugging Face's exports of images are decoded", async () => {
    const path = put("images.parquet");
    const data = await fromParquet(path, { image: "image", label: "label", classes: ["no", "yes"], test: path });
    expect([data.train.length, data.test.length, ...data.train.labels]).toEqual([2, 2, 1, 0]);
    expect(raw(data.train, 1)).toEqual([255, 205, 155, 105, 55, 0]);
  });
});

describe("published formats", () => {
  test("SVHN's MATLAB files, compressed, with the digit ten as class 0", async () => {
    put("svhn.mat", "svhn/train_32x32.mat");
    put("svhn.mat", "svhn/test_32x32.mat");
    const data = await svhn({ folder: join(folder, "svhn") });
    expect([...data.train.labels]).toEqual([0, 1, 9]);
    const at = (r: number, c: number, k: number) => (r * 32 + c) * 3 + k;
    expect(raw(data.train, 0)[at(5, 7, 1)]).toBe(200);
    expect(raw(data.train, 1)[at(0, 31, 2)]).toBe(77);
    expect(raw(data.train, 2)[at(31, 0, 0)]).toBe(9);
    expect(raw(data.train, 2).filter((v) => v > 0)).toHaveLength(1);
    expect(() => readMat(bytes("svhn.mat").subarray(0, 200), "s.mat")).toThrow(
      "s.mat: the file ends inside an element",
    );
  });

  test("MATLAB files that are not compressed", () => {
    const arrays = readMat(gunzipSync(bytes("svhn-plain.mat")), "plain.mat");
    expect(arrays.get("X")?.sizes).toEqual([32, 32, 3, 1]);
    expect([...Array.from(arrays.get("y")!.values)]).toEqual([2]);
  });

  test("CIFAR's archive, and its files by themselves", async () => {
    put("cifar-100-binary.tar.gz", "cifar/cifar-100-binary.tar.gz");
    const data = await cifar100({ folder: join(folder, "cifar") });
    expect([...data.train.labels]).toEqual([99, 5]);
    expect(data.classes[99]).toBe("worm");
    expect(new Set(data.classes).size).toBe(100);
    expect(raw(data.train, 0).slice(0, 3)).toEqual([10, 20, 30]);
    expect(raw(data.test, 0).slice(-3)).toEqual([10, 20, 99]);
    for (let i = 1; i <= 5; i++) writeFileSync(join(folder, `data_batch_${i}.bin`), new Uint8Array(3073 * i).fill(i));
    writeFileSync(join(folder, "test_batch.bin"), new Uint8Array(3073));
    const ten = await cifar10({ folder });
    expect([ten.train.length, ten.test.length, ten.train.labels[14]]).toEqual([15, 1, 5]);
    writeFileSync(join(folder, "test_batch.bin"), new Uint8Array(3000));
    await expect(cifar10({ folder })).rejects.toThrow(
      "test_batch.bin: whole records of 3073 bytes are required, got 3000",
    );
  });

  test("EMNIST stands upright, and its letters begin at 1", async () => {
    const idx = (sizes: number[], values: number[]) =>
      Uint8Array.from([0, 0, 8, sizes.length, ...sizes.flatMap((n) => [0, 0, 0, n]), ...values]);
    const where = join(folder, "emnist");
    mkdirSync(where);
    for (const part of ["train", "test"]) {
      writeFileSync(join(where, `emnist-letters-${part}-images-idx3-ubyte`), idx([1, 2, 3], [1, 2, 3, 4, 5, 6]));
      writeFileSync(join(where, `emnist-letters-${part}-labels-idx1-ubyte`), idx([1], [26]));
    }
    const data = await emnist({ split: "letters", folder: where });
    expect(raw(data.train, 0)).toEqual([1, 3, 5, 2, 4, 6]);
    expect(data.classes[data.train.labels[0]!]).toBe("Z");
    await expect(emnist({ folder: where })).rejects.toThrow(/three ways.*unpack https:\/\/biometrics\.nist\.gov/);
    await expect(kmnist({ folder: where })).rejects.toThrow(/train-images-idx3-ubyte\.gz is required/);
  });
});

test("a text file asks for what comes next, at every place", async () => {
  const path = join(folder, "text.txt");
  writeFileSync(path, "abcabcabcabcabcab");
  const data = await fromTextFile(path, { length: 4, test: 0.25 });
  expect([data.name, data.target, data.classes.join(""), data.train.length, data.test.length]).toEqual([
    "text.txt",
    "tokens",
    "abc",
    3,
    1,
  ]);
  expect([...gather(data.train, [1])]).toEqual([1, 2, 0, 1]);
  expect([...gatherTargets(data.train, [1])]).toEqual([2, 0, 1, 2]);
  expect([...gather(data.test, [0])]).toEqual([0, 1, 2, 0]);
  const bytesOf = await fromTextFile(path, { length: 4, test: 0.25, level: "byte" });
  expect(bytesOf.classes).toEqual(["0x61", "0x62", "0x63"]);
  writeFileSync(path, "abc");
  await expect(fromTextFile(path, { length: 4 })).rejects.toThrow(
    "at least 9 tokens are required for examples of 4, got 3",
  );
});
