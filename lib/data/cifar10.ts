/** CIFAR-10. */
import type { Dataset } from "./dataset.ts";
import { cifar } from "./parts/cifar.ts";
import type { FetchOptions } from "./parts/fetched.ts";

/**
 * CIFAR-10: 50,000 colour photographs to train and 10,000 to test, 32×32×3 bytes, 10 classes.
 *
 * `folder` holds the six `.bin` files of the binary version, or its archive; else the archive is taken from the user's cache, where it is
 * downloaded once (162 MB) and checked.
 *
 * Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009; no licence is stated.
 *
 * ```
 * const data = await cifar10({ progress: (file, bytes, total) => console.log(file, bytes, total) });
 * ```
 */
export function cifar10(options: FetchOptions = {}): Promise<Dataset<"image">> {
  return cifar(
    {
      name: "cifar10",
      archive: "cifar-10-binary.tar.gz",
      fileSha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
      test: "test_batch.bin",
      labelBytes: 1,
      classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    },
    options,
  );
}
