/** Networks that come trained with the library. */
import { needOneOf } from "../data/options.ts";
import { readNetwork } from "../models/parts/network-files.ts";
import { folderOf, shipped, shippedFile } from "../models/parts/shipped.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { networkFromPacked } from "../train/from-json.ts";

/** The names of the networks that come with the library. */
export type Pretrained = (typeof shipped)[number];

/**
 * A small network for grey images of 28×28 that comes trained with the library, so that a study can begin from features that see something:
 * `stream.learn(from(pretrained("vit-small")))`. Nothing is downloaded.
 *
 * Both were trained on Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf, arXiv:1708.07747, licence MIT) and on pictures of fractals
 * (`fractals`), never on digits; `npm run pretrain` makes them again. `lib/models/files/README.md` has the recipe and the figures.
 *
 * @throws TypeError for a name that is none of theirs.
 *
 * @example
 * ```ts
 * import { from, pretrained } from "thalweg";
 * const network = pretrained("resnet-small");
 * network.input; // [28, 28, 1]
 * from(network).features([28, 28, 1]); // [64]
 * ```
 */
export function pretrained(name: Pretrained): TrainedNetwork {
  needOneOf("pretrained", "name", name, shipped);
  const file = shippedFile(name);
  return networkFromPacked(readNetwork(folderOf(file), "pretrained"), { file });
}
