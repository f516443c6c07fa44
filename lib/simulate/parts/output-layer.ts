/** A network's output layer by itself, over features that do not change: trained, judged and put in its place on the host. */
import type { Rng } from "../../engine/index.ts";
import type { Layer, Trainer } from "./trainer.ts";

/** Kernel `[width, classes]` and bias of a linear head within the weights. */
export interface HeadPlace {
  readonly kernel: Layer;
  readonly bias: Layer;
}

/** Where a linear head lies; throws where there is none. */
export function headOf(where: string, { layers, network }: Trainer): HeadPlace {
  const own = layers.filter(({ path }) => path?.startsWith("head/"));
  const [kernel, bias] = [own.find(({ shape }) => shape.length === 2), own.find(({ shape }) => shape.length === 1)];
  if (own.length !== 2 || kernel === undefined || bias === undefined)
    throw new TypeError(`${where}: a linear head with a bias is required, got ${network.head.spec.name}`);
  return { kernel, bias };
}

/** Features and labels of examples. */
export interface Seen {
  readonly features: Float32Array;
  readonly labels: Int32Array;
}

/** An output layer, class after class: the weights of its features, and its bias behind them. */
export type Output = readonly Float64Array[];

/** The output layer of a vector. */
export function outputOf(vector: Float32Array, { kernel, bias }: HeadPlace): Output {
  const width = kernel.size / bias.size;
  return Array.from({ length: bias.size }, (_, label) =>
    Float64Array.from({ length: width + 1 }, (_, d) =>
      d === width ? vector[bias.from + label]! : vector[kernel.from + d * bias.size + label]!,
    ),
  );
}

/** A vector with another output layer. */
export function withOutput(vector: Float32Array, { kernel, bias }: HeadPlace, output: Output): Float32Array {
  const out = vector.slice();
  const width = kernel.size / bias.size;
  for (const [label, column] of output.entries())
    for (let d = 0; d <= width; d++)
      out[d === width ? bias.from + label : kernel.from + d * bias.size + label] = column[d]!;
  return out;
}

/** The scores of one example. */
function scoresOf(output: Output, features: Float32Array, from: number): number[] {
  return output.map((column) => {
    const width = column.length - 1;
    let sum = column[width]!;
    for (let d = 0; d < width; d++) sum += column[d]! * features[from + d]!;
    return sum;
  });
}

/** An output layer after some passes of plain SGD on the cross-entropy. */
export function trainedOutput(
  output: Output,
  { features, labels }: Seen,
  { rate, batch, epochs }: { readonly rate: number; readonly batch: number; readonly epochs: number },
  rng: Rng,
): Output {
  const own = output.map((column) => column.slice());
  const width = own[0]!.length - 1;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = rng.at(epoch).permutation(labels.length);
    for (let start = 0; start < order.length; start += batch) {
      const rows = order.subarray(start, start + batch);
      const slopes = own.map(() => new Float64Array(width + 1));
      for (const row of rows) {
        const scores = scoresOf(own, features, row * width);
        const most = Math.max(...scores);
        const shares = scores.map((score) => Math.exp(score - most));
        const total = shares.reduce((a, b) => a + b, 0);
        for (const [label, slope] of slopes.entries()) {
          const error = (shares[label]! / total - Number(labels[row] === label)) / rows.length;
          for (let d = 0; d < width; d++) slope[d]! += error * features[row * width + d]!;
          slope[width]! += error;
        }
      }
      for (const [label, column] of own.entries())
        for (let d = 0; d <= width; d++) column[d]! -= rate * slopes[label]![d]!;
    }
  }
  return own;
}

/** The share of each class that is recognised; NaN for classes without examples. */
export function recallsOf(output: Output, { features, labels }: Seen): number[] {
  const width = output[0]!.length - 1;
  const [right, met] = [output.map(() => 0), output.map(() => 0)];
  for (const [row, label] of labels.entries()) {
    const scores = scoresOf(output, features, row * width);
    met[label]!++;
    if (scores.indexOf(Math.max(...scores)) === label) right[label]!++;
  }
  return right.map((count, label) => count / met[label]!);
}
