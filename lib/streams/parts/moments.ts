/** How far the experiences of a stream are from its first. */
import { gather, gatherTargets, sizeOf } from "../../data/dataset.ts";
import type { Stream } from "../stream.ts";

/** How far an experience is from the first. */
export interface Moved {
  /** The root of the mean square distance of the mean inputs, in deviations of the first experience's. */
  readonly inputs: number;
  /** Half the sum of the differences of the classes' shares; where numbers are asked for, the mean difference of their means. */
  readonly asked: number;
}

interface Moments {
  readonly mean: Float64Array;
  readonly variance: number;
  /** The share of each class, or the mean of each target. */
  readonly asked: Float64Array;
}

/** How far the experiences `at` are from the first of them, judged by at most `most` training examples of each. */
export function moved(stream: Stream, at: readonly number[], most: number): Moved[] {
  let first: Moments | undefined;
  return at.map((index) => {
    const here = moments(stream, index, most);
    first ??= here;
    const { mean, asked, variance } = first;
    const squares = here.mean.reduce((sum, v, j) => sum + (v - mean[j]!) ** 2, 0);
    const differences = here.asked.reduce((sum, v, j) => sum + Math.abs(v - asked[j]!), 0);
    return {
      inputs: Math.sqrt(squares / mean.length) / (Math.sqrt(variance) || 1),
      asked: differences / (stream.target === "numbers" ? asked.length : 2),
    };
  });
}

function moments(stream: Stream, index: number, most: number): Moments {
  const { train } = stream.experience(index);
  const count = Math.min(most, train.length);
  const rows = Array.from({ length: count }, (_, k) => Math.floor((k * train.length) / count));
  const x = gather(train, rows);
  const size = sizeOf(stream.shape);
  const mean = new Float64Array(size);
  x.forEach((v, i) => {
    mean[i % size]! += v / count;
  });
  const variance = x.reduce((sum, v, i) => sum + (v - mean[i % size]!) ** 2, 0) / x.length;
  if (stream.target === "numbers" && train.targets !== undefined) {
    const y = gatherTargets(train, rows);
    const asked = new Float64Array(train.targets.width);
    y.forEach((v, i) => {
      asked[i % asked.length]! += v / count;
    });
    return { mean, variance, asked };
  }
  const asked = new Float64Array(stream.classes.length);
  for (const row of rows)
    if (train.labels[row]! >= 0 && train.labels[row]! < asked.length) asked[train.labels[row]!]! += 1 / count;
  return { mean, variance, asked };
}
