/** What a data set is: tables of raw examples with labels, which stay bytes until they are a batch. */
// Written by `npm run gen`.
export * from "./associative-recall.ts";
export * from "./blobs.ts";
export * from "./cifar10.ts";
export * from "./cifar100.ts";
export * from "./dataset.ts";
export * from "./digits.ts";
export * from "./drifting-series.ts";
export * from "./emnist.ts";
export * from "./fashion-mnist.ts";
export * from "./fractals.ts";
export * from "./from-arrays.ts";
export * from "./from-arrow.ts";
export * from "./from-csv.ts";
export * from "./from-folder.ts";
export * from "./from-npy.ts";
export * from "./from-parquet.ts";
export * from "./from-text.ts";
export * from "./item-sequences.ts";
export * from "./kmnist.ts";
export * from "./mnist.ts";
export * from "./modular-arithmetic.ts";
export * from "./moons.ts";
export * from "./options.ts";
export * from "./spirals.ts";
export * from "./svhn.ts";
