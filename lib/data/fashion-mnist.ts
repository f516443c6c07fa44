/** Fashion-MNIST. */
import type { Dataset } from "./dataset.ts";
import type { FetchOptions } from "./parts/fetched.ts";
import { mnistLike } from "./parts/mnist-like.ts";

/**
 * Fashion-MNIST: 60,000 pictures of clothes to train and 10,000 to test, 28×28 bytes, 10 classes.
 *
 * The four idx files, gzipped or not, are taken from `folder` if one is given, else from where Debian's package
 * `dataset-fashion-mnist` puts them, else from the user's cache, where they are downloaded once (30 MB) and checked. Offline and absent
 * is an error that says the three ways to get them.
 *
 * Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, licence MIT.
 *
 * ```
 * const data = await fashionMnist();
 * ```
 */
export function fashionMnist(options: FetchOptions = {}): Promise<Dataset<"image">> {
  return mnistLike(
    {
      name: "fashion-mnist",
      classes: ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"],
      system: ["/usr/share/datasets/fashion-mnist"],
      install: "apt-get install dataset-fashion-mnist",
      url: "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
      source: "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, MIT",
      sha256: [
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
      ],
    },
    options,
  );
}
