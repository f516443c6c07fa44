/** Logits as answers: names of classes with their probabilities, numbers, tokens. */
import type { Target } from "../../data/dataset.ts";

/** One answer of a network. */
export interface Answer {
  /** Which example it is about, from 0. */
  readonly example: number;
  /** Which place of a sequence, where each has an answer. */
  readonly place?: number;
  /** The name of the class, or of the number. */
  readonly class: string;
  /** How probable the class is to the network. Absent where numbers are asked for. */
  readonly probability?: number;
  /** The number, where numbers are asked for. */
  readonly value?: number;
}

/**
 * The answers that logits hold. One class: the `top` most probable of the columns, which share a probability of 1. Several labels: those of a
 * probability from one half on, or the `top` most probable. Numbers: the value of each column. Tokens: as for one class, at each place.
 */
export function answersOf(
  target: Target,
  logits: Float32Array,
  names: readonly string[],
  from: number,
  places: number,
  top: number | undefined,
): Answer[] {
  const width = names.length;
  const found: Answer[] = [];
  for (let row = 0; row < logits.length / width; row++) {
    const own = logits.subarray(row * width, (row + 1) * width);
    const where = {
      example: from + Math.floor(row / places),
      ...(target === "tokens" && { place: row % places }),
    };
    if (target === "numbers") {
      own.forEach((value, i) => {
        found.push({ ...where, class: names[i]!, value });
      });
      continue;
    }
    const probabilities = target === "labels" ? own.map((z) => 1 / (1 + Math.exp(-z))) : softmax(own);
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
    const kept =
      target === "labels" && top === undefined
        ? order.filter((column) => probabilities[column]! >= 0.5)
        : order.slice(0, top ?? 1);
    for (const column of kept) found.push({ ...where, class: names[column]!, probability: probabilities[column]! });
  }
  return found;
}

function softmax(logits: Float32Array): Float32Array {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const parts = logits.map((z) => Math.exp(z - most));
  const total = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / total);
}
