/** Street View House Numbers. */
import { type Dataset, type Examples, makeDataset, table } from "./dataset.ts";
import { type FetchOptions, fetched } from "./parts/fetched.ts";
import { readMat } from "./parts/mat.ts";

/**
 * Street View House Numbers, cropped digits: 73,257 colour images to train and 26,032 to test, 32×32×3 bytes, 10 classes.
 *
 * `train_32x32.mat` and `test_32x32.mat` are taken from `folder` if one is given, else from the user's cache, where they are downloaded
 * once (246 MB) and checked. The digit 0, which the files call 10, is class 0.
 *
 * Source: Y. Netzer et al., Reading digits in natural images with unsupervised feature learning, 2011; for non-commercial use.
 *
 * ```
 * const data = await svhn({ folder: "data/svhn" });
 * ```
 */
export async function svhn(options: FetchOptions = {}): Promise<Dataset<"image">> {
  const [train, test] = ["train_32x32.mat", "test_32x32.mat"] as const;
  const found = await fetched(
    {
      name: "svhn",
      url: "http://ufldl.stanford.edu/housenumbers/",
      files: [
        { name: train, fileSha256: "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8" },
        { name: test, fileSha256: "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b" },
      ],
    },
    options,
  );
  return makeDataset({
    name: "svhn",
    kind: "image",
    classes: [...Array(10).keys()].map(String),
    train: examples(found.get(train)!, train),
    test: examples(found.get(test)!, test),
    source: "Y. Netzer et al., 2011, ufldl.stanford.edu/housenumbers, for non-commercial use",
  });
}

/** X is height × width × 3 × count with the first index fastest; y is 1 to 10. */
function examples(file: Uint8Array, name: string): Examples {
  const arrays = readMat(file, name);
  const [x, y] = [arrays.get("X"), arrays.get("y")];
  const [height, width, channels, count] = x?.sizes ?? [];
  if (x === undefined || y === undefined || channels !== 3 || y.values.length !== count)
    throw new Error(
      `${name}: arrays X (height × width × 3 × count) and y (count) are required, got X ${x?.sizes.join(" × ")} and y ${y?.sizes.join(" × ")}`,
    );
  const out = new Uint8Array(x.values.length);
  const size = height! * width! * 3;
  for (let i = 0; i < count; i++)
    for (let r = 0; r < height!; r++)
      for (let c = 0; c < width!; c++)
        for (let k = 0; k < 3; k++)
          out[i * size + (r * width! + c) * 3 + k] = x.values[i * size + (k * width! + c) * height! + r]!;
  return table(
    out,
    Int32Array.from({ length: count }, (_, i) => y.values[i]! % 10),
    [height!, width!, 3],
    1 / 255,
  );
}
