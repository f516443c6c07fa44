/** t-SNE: places points in the plane so that neighbours stay neighbours. */
import type { Matrix } from "../../metrics/parts/linear-algebra.ts";

/**
 * Exact t-SNE from given first places: gradient descent on the Kullback-Leibler divergence of neighbourhoods.
 *
 * Van der Maaten and Hinton 2008, JMLR 9, sections 2 and 3, with their settings: 1,000 rounds, momentum .5 then .8, gains, early
 * exaggeration (12 for 250 rounds, as in later implementations), learning rate max(n/48, 50).
 */
export function tsne(
  features: Matrix,
  start: readonly (readonly [number, number])[],
  { perplexity = 30, rounds = 1000 }: { perplexity?: number; rounds?: number } = {},
): [number, number][] {
  const n = features.rows;
  if (n < 3) return start.map(([x, y]) => [x, y]);
  const p = affinities(features, Math.min(perplexity, (n - 1) / 3));
  const spread = Math.sqrt(start.reduce((sum, [x]) => sum + x * x, 0) / n) || 1;
  const y = Float64Array.from(start.flatMap(([a, b]) => [(a / spread) * 1e-4, (b / spread) * 1e-4]));
  const [move, gains, gradient] = [new Float64Array(2 * n), new Float64Array(2 * n).fill(1), new Float64Array(2 * n)];
  const rate = Math.max(n / 48, 50);
  const q = new Float64Array(n * n);
  for (let round = 0; round < rounds; round++) {
    const exaggeration = round < 250 ? 12 : 1;
    const momentum = round < 250 ? 0.5 : 0.8;
    descend(y, p, q, gradient, exaggeration);
    for (let i = 0; i < 2 * n; i++) {
      gains[i] = Math.max(0.01, Math.sign(gradient[i]!) === Math.sign(move[i]!) ? gains[i]! * 0.8 : gains[i]! + 0.2);
      move[i] = momentum * move[i]! - rate * gains[i]! * gradient[i]!;
      y[i]! += move[i]!;
    }
  }
  return Array.from({ length: n }, (_, i): [number, number] => [y[2 * i]!, y[2 * i + 1]!]);
}

/** The gradient of the divergence at the places `y`. */
function descend(
  y: Float64Array,
  p: Float64Array,
  q: Float64Array,
  gradient: Float64Array,
  exaggeration: number,
): void {
  const n = y.length / 2;
  let total = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const near = 1 / (1 + (y[2 * i]! - y[2 * j]!) ** 2 + (y[2 * i + 1]! - y[2 * j + 1]!) ** 2);
      q[i * n + j] = near;
      q[j * n + i] = near;
      total += 2 * near;
    }
  }
  gradient.fill(0);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (i === j) continue;
      const near = q[i * n + j]!;
      const pull = 4 * (exaggeration * p[i * n + j]! - near / total) * near;
      gradient[2 * i]! += pull * (y[2 * i]! - y[2 * j]!);
      gradient[2 * i + 1]! += pull * (y[2 * i + 1]! - y[2 * j + 1]!);
    }
  }
}

/** How near each pair is, as symmetric probabilities; each point's neighbourhood has the perplexity asked for. */
function affinities({ data, rows: n, columns }: Matrix, perplexity: number): Float64Array {
  const squares = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += (data[i * columns + k]! - data[j * columns + k]!) ** 2;
      squares[i * n + j] = sum;
      squares[j * n + i] = sum;
    }
  }
  const p = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = squares.subarray(i * n, (i + 1) * n);
    let [low, high, beta] = [0, Number.POSITIVE_INFINITY, 1];
    let nearest = Number.POSITIVE_INFINITY;
    for (let j = 0; j < n; j++) if (j !== i) nearest = Math.min(nearest, row[j]!);
    for (let turn = 0; turn < 100; turn++) {
      let [sum, weighted] = [0, 0];
      for (let j = 0; j < n; j++) {
        const value = j === i ? 0 : Math.exp(-beta * (row[j]! - nearest));
        p[i * n + j] = value;
        sum += value;
        weighted += value * (row[j]! - nearest);
      }
      const entropy = Math.log(sum) + (beta * weighted) / sum;
      for (let j = 0; j < n; j++) p[i * n + j]! /= sum;
      const off = entropy - Math.log(perplexity);
      if (Math.abs(off) < 1e-7) break;
      if (off > 0) [low, beta] = [beta, Number.isFinite(high) ? (beta + high) / 2 : beta * 2];
      else [high, beta] = [beta, (beta + low) / 2];
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const both = Math.max((p[i * n + j]! + p[j * n + i]!) / (2 * n), 1e-12);
      p[i * n + j] = both;
      p[j * n + i] = both;
    }
    p[i * n + i] = 0;
  }
  return p;
}
