/** How many workers to wait for, chosen from what came before. */
import type { Slope } from "./trainer.ts";
import { squared } from "./vectors.ts";

/** What a step of the server came to. */
export interface Met {
  readonly slopes: readonly Slope[];
  readonly mean: Float32Array;
  readonly loss: number;
  readonly rate: number;
  /** Seconds until each of its gradients was there. */
  readonly after: readonly number[];
}

/** The choice of how many to wait for. */
export interface Backups {
  choose(rate: number): number;
  met(step: Met): void;
}

/** DBW over the last steps. All are waited for while too little is known, and after a step that made the loss worse than all of them. */
export function backups(workers: number, memory: number): Backups {
  const variances: number[] = [];
  const squares: number[] = [];
  /** Of the last steps: by how much the loss fell, and `η² ‖g‖² / 2`, by how much a smoothness of 1 made it fall less. */
  const falls: number[] = [];
  const bends: number[] = [];
  const losses: number[] = [];
  const times: number[][] = Array.from({ length: workers }, () => []);
  let last: { readonly loss: number; readonly bend: number } | undefined;
  const keep = (list: number[], value: number): void => {
    list.push(value);
    if (list.length > memory) list.shift();
  };
  return {
    choose(rate) {
      const waits = rising(times.map(mean));
      if (variances.length === 0 || falls.length === 0 || waits.some(Number.isNaN)) return workers;
      if (losses.length > 2 && losses.at(-1)! > Math.max(...losses.slice(0, -1))) return workers;
      const [square, variance] = [mean(squares), mean(variances)];
      // E[F(t−1) − F(t)] = η ‖∇F‖² − L η² E‖g‖² / 2 gives the smoothness L
      const bend = Math.max(0, (rate * square - mean(falls)) / mean(bends));
      const gains = waits.map((_, i) => gainOf(i + 1, rate, square, variance, bend));
      if (Math.max(...gains) <= 0) return workers;
      const worth = gains.map((gain, i) => gain / Math.max(waits[i]!, 1e-12));
      return worth.indexOf(Math.max(...worth)) + 1;
    },
    met({ slopes, mean: gradient, loss, rate, after }) {
      const count = slopes.length;
      if (count > 1) {
        const spread = slopes.reduce((sum, slope) => sum + apart(slope.gradient, gradient), 0) / (count - 1);
        keep(variances, spread);
        keep(squares, Math.max(0, squared(gradient) - spread / count));
      }
      for (const [i, seconds] of after.entries()) keep(times[i]!, seconds);
      if (last !== undefined) {
        keep(falls, last.loss - loss);
        keep(bends, last.bend);
      }
      keep(losses, loss);
      last = { loss, bend: (rate * rate * squared(gradient)) / 2 };
    },
  };
}

/** The least that `k` gradients gain: (η − Lη²/2) ‖∇F‖² − Lη² V / (2k). */
export function gainOf(k: number, rate: number, square: number, variance: number, bend: number): number {
  return (rate - (bend * rate * rate) / 2) * square - (bend * rate * rate * variance) / (2 * k);
}

/** The nearest numbers that never fall, by pooling neighbours that do. */
export function rising(values: readonly number[]): number[] {
  const blocks: { sum: number; count: number }[] = [];
  for (const value of values) {
    blocks.push({ sum: value, count: 1 });
    while (blocks.length > 1) {
      const [a, b] = [blocks.at(-2)!, blocks.at(-1)!];
      if (!(a.sum / a.count > b.sum / b.count)) break;
      blocks.splice(-2, 2, { sum: a.sum + b.sum, count: a.count + b.count });
    }
  }
  return blocks.flatMap(({ sum, count }) => Array.from({ length: count }, () => sum / count));
}

function apart(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((a, b) => a + b, 0) / values.length;
}
