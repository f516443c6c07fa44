/** Makes a data set of a folder of images. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import type { Dataset, Shape } from "./dataset.ts";
import { fromArrays } from "./from-arrays.ts";
import { bar } from "./parts/bar.ts";
import { decodeImage, together } from "./parts/images.ts";

/** What `fromFolder` can be told. */
export interface FromFolderOptions {
  /** The data set's name; default the folder's. */
  readonly name?: string;
  /** The shape [height, width, channels] that all images are resized to; needed where they have several. */
  readonly shape?: Shape;
  /** The share of each class that is set aside to test, where there are no folders train and test; default 0.2. */
  readonly test?: number;
  /** Draws the test examples; default 0. */
  readonly seed?: number;
  /** Where the data comes from and under which licence. */
  readonly source?: string;
  /** Called after each image with how many are read, and how many there are; default: a bar in a terminal or a notebook. */
  readonly progress?: (read: number, all: number) => void;
}

/**
 * Makes a data set of PNG and JPEG images in folders: the folder of an image, as a path from the top, is its class ("cat", or
 * "Greek/character01"). Where the top has the folders `train` and `test`, these are the two parts; else a share is set aside to test.
 *
 * @throws RangeError for images of several sizes when no shape is given; Error for a file that is damaged. Both name the file.
 *
 * ```
 * const data = await fromFolder("omniglot", { shape: [28, 28, 1], progress: (n, all) => console.log(n, all) });
 * ```
 */
export async function fromFolder(folder: string, options: FromFolderOptions = {}): Promise<Dataset<"image">> {
  const { name = basename(folder), shape, test = 0.2, seed = 0, source = `images in ${basename(folder)}` } = options;
  const parted = existsSync(join(folder, "train")) && existsSync(join(folder, "test"));
  const found = await Promise.all((parted ? ["train", "test"] : ["."]).map((part) => listed(join(folder, part))));
  const all = found.flat().length;
  if (all === 0) throw new RangeError(`fromFolder: PNG or JPEG images are required in ${folder}, got none`);
  let read = 0;
  const drawn = bar(name);
  const progress = options.progress ?? ((done: number) => drawn.at(done, all));
  const parts = [];
  try {
    for (const files of found) {
      const images = [];
      for (const { path, label } of files) {
        images.push({ name: path, image: decodeImage(await readFile(path), path), label });
        progress(++read, all);
      }
      parts.push(images);
    }
  } finally {
    drawn.end();
  }
  const every = parts.flat();
  const { bytes, shape: one } = together(every, shape);
  const size = bytes.length / all;
  const cut = parts[0]!.length;
  const labels = every.map(({ label }) => label);
  const classes = [...new Set(labels)].sort();
  const about = { name, kind: "image" as const, shape: one, classes, source };
  if (!parted) return fromArrays(bytes, labels, { ...about, test, seed });
  return fromArrays(bytes.subarray(0, cut * size), labels.slice(0, cut), {
    ...about,
    test: { x: bytes.subarray(cut * size), y: labels.slice(cut) },
  });
}

/** The images below a folder in the order of their paths, with the path of their folder as class. */
async function listed(top: string): Promise<{ path: string; label: string }[]> {
  const entries = await readdir(top, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(png|jpe?g)$/i.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
    .map((path) => ({ path, label: relative(top, dirname(path)).split(sep).join("/") || "." }));
}
