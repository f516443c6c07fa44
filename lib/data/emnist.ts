/** EMNIST: handwritten letters and digits. */
import type { Dataset } from "./dataset.ts";
import type { FetchOptions } from "./parts/fetched.ts";
import { mnistLike } from "./parts/mnist-like.ts";

/** The ways in which EMNIST is divided into classes, with how many there are. */
const splits = { balanced: 47, byclass: 62, bymerge: 47, digits: 10, letters: 26, mnist: 10 } as const;

/** What `emnist` can be told. */
export interface EmnistOptions extends FetchOptions {
  /** Which of the publisher's divisions; default "balanced". */
  readonly split?: keyof typeof splits;
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * EMNIST: handwritten digits and letters, 28×28 bytes; "balanced" has 47 classes, 112,800 images to train and 18,800 to test. Images are
 * turned upright (in the files rows and columns are exchanged).
 *
 * The idx files `emnist-<split>-…` are taken from `folder`, or from the cache. They are published in one archive of half a gigabyte, so
 * they are not downloaded one by one: the error says where it is.
 *
 * Source: G. Cohen et al., EMNIST: an extension of MNIST to handwritten letters, arXiv:1702.05373, public domain (NIST).
 *
 * ```
 * const data = await emnist({ split: "letters", folder: "data/emnist" });
 * ```
 */
export function emnist({ split = "balanced", ...options }: EmnistOptions = {}): Promise<Dataset<"image">> {
  if (!(split in splits))
    throw new TypeError(`emnist: a split of ${Object.keys(splits).join(", ")} is required, got ${split}`);
  // the merged splits have one class for a letter whose two cases look alike
  const merged = `${alphabet.slice(0, 36)}abdefghnqrt`;
  const names = split === "letters" ? alphabet.slice(10, 36) : splits[split] === 47 ? merged : alphabet;
  return mnistLike(
    {
      name: `emnist-${split}`,
      classes: [...names.slice(0, splits[split])],
      names: [
        `emnist-${split}-train-images-idx3-ubyte.gz`,
        `emnist-${split}-train-labels-idx1-ubyte.gz`,
        `emnist-${split}-test-images-idx3-ubyte.gz`,
        `emnist-${split}-test-labels-idx1-ubyte.gz`,
      ],
      transposed: true,
      ...(split === "letters" && { firstLabel: 1 }),
      byHand: "unpack https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip into one of these folders",
      source: "G. Cohen et al., arXiv:1702.05373, public domain (NIST)",
    },
    options,
  );
}
