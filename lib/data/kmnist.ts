/** Kuzushiji-MNIST. */
import type { Dataset } from "./dataset.ts";
import type { FetchOptions } from "./parts/fetched.ts";
import { mnistLike } from "./parts/mnist-like.ts";

/**
 * Kuzushiji-MNIST: 60,000 cursive Japanese characters to train and 10,000 to test, 28×28 bytes, 10 classes.
 *
 * The four idx files are taken from `folder` if one is given, else from the user's cache, where they are downloaded once (21 MB) and
 * checked against the publisher's MD5.
 *
 * Source: T. Clanuwat et al., Deep learning for classical Japanese literature, arXiv:1812.01718, licence CC BY-SA 4.0.
 *
 * ```
 * const data = await kmnist();
 * ```
 */
export function kmnist(options: FetchOptions = {}): Promise<Dataset<"image">> {
  return mnistLike(
    {
      name: "kmnist",
      classes: ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
      url: "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
      source: "T. Clanuwat et al., arXiv:1812.01718, CC BY-SA 4.0",
      fileMd5: [
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
      ],
    },
    options,
  );
}
