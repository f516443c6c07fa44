/** Attention in pieces. */

/** Attention whose keys come block by block: running maxima, sums and weighted values of every row and head. */
export class Softmax {
  readonly #rows: number;
  readonly #heads: number;
  readonly #width: number;
  readonly #most: Float64Array;
  readonly #sum: Float64Array;
  readonly #values: Float64Array;

  constructor(rows: number, heads: number, width: number) {
    [this.#rows, this.#heads, this.#width] = [rows, heads, width];
    this.#most = new Float64Array(rows * heads).fill(Number.NEGATIVE_INFINITY);
    this.#sum = new Float64Array(rows * heads);
    this.#values = new Float64Array(rows * heads * width);
  }

  /** Takes a block of as many keys as there are rows; `diagonal` lets a row look at keys up to its own place. */
  add(q: Float32Array, k: Float32Array, v: Float32Array, diagonal: boolean): void {
    const [heads, width] = [this.#heads, this.#width];
    const scale = 1 / Math.sqrt(width);
    for (let i = 0; i < this.#rows; i++)
      for (let h = 0; h < heads; h++) {
        const [at, to] = [i * heads + h, diagonal ? i + 1 : k.length / (heads * width)];
        const scores = Float64Array.from({ length: to }, (_, j) => {
          let dot = 0;
          for (let d = 0; d < width; d++) dot += q[at * width + d]! * k[(j * heads + h) * width + d]!;
          return dot * scale;
        });
        const most = scores.reduce((a, b) => Math.max(a, b), this.#most[at]!);
        const fade = Math.exp(this.#most[at]! - most);
        this.#most[at] = most;
        this.#sum[at]! *= fade;
        for (let d = 0; d < width; d++) this.#values[at * width + d]! *= fade;
        for (const [j, score] of scores.entries()) {
          const weight = Math.exp(score - most);
          this.#sum[at]! += weight;
          for (let d = 0; d < width; d++) this.#values[at * width + d]! += weight * v[(j * heads + h) * width + d]!;
        }
      }
  }

  /** `[rows, heads, width]`. */
  output(): Float32Array {
    return Float32Array.from(this.#values, (x, i) => x / this.#sum[Math.floor(i / this.#width)]!);
  }
}

/** Attention of `[rows, heads, width]` in one piece. */
export function attention(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  heads: number,
  width: number,
): Float32Array {
  const all = new Softmax(q.length / (heads * width), heads, width);
  all.add(q, k, v, false);
  return all.output();
}
