/** CIFAR-100. */
import type { Dataset } from "./dataset.ts";
import { cifar } from "./parts/cifar.ts";
import type { FetchOptions } from "./parts/fetched.ts";

/**
 * CIFAR-100: 50,000 colour photographs to train and 10,000 to test, 32×32×3 bytes, 100 classes in the order of the publisher (by name).
 *
 * `folder` holds `train.bin` and `test.bin` of the binary version, or its archive; else the archive is taken from the user's cache, where
 * it is downloaded once (161 MB) and checked.
 *
 * Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009; no licence is stated.
 *
 * ```
 * const data = await cifar100({ folder: "data/cifar-100-binary" });
 * ```
 */
export function cifar100(options: FetchOptions = {}): Promise<Dataset<"image">> {
  return cifar(
    {
      name: "cifar100",
      archive: "cifar-100-binary.tar.gz",
      fileSha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
      train: ["train.bin"],
      test: "test.bin",
      labelBytes: 2,
      classes: names.split(" "),
    },
    options,
  );
}

const names =
  "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle caterpillar cattle " +
  "chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house " +
  "kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange " +
  "orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal " +
  "shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger " +
  "tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm";
