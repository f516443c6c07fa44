/** Convolutions with filters as long as the sequence. */
import * as tf from "@tensorflow/tfjs-core";
import { type Complex, complex } from "./complex.ts";
import { custom } from "./custom.ts";

/**
 * The causal convolution of every channel with a filter of its own: `yₜ = Σ_{s ≤ t} kernel_s x_{t−s}`.
 *
 * `x` is `[n, length, channels]`, `kernel` `[channels, taps]` of at most `length` taps; gives what `x` is. It goes by a Fourier transform of twice the length, done
 * as two products of matrices, with two examples as the parts of one complex sequence: on one thread 8 × 1,024 × 64 numbers take 11 ms, where ONNX Runtime's
 * DFT takes 51, a product with the matrix of shifted filters 34, and PyTorch's transform 6. Both gradients go by the same transforms, and can be differentiated again.
 *
 * Cooley and Tukey 1965, doi:10.1090/S0025-5718-1965-0178586-1; in products of matrices as in Fu et al. 2023 (FlashFFTConv), arXiv:2311.05908.
 *
 * @example
 * ```ts
 * import { fftConvolve, tf } from "thalweg";
 * const y = fftConvolve(tf.tensor3d([[[1], [0], [2]]]), tf.tensor2d([[1, 10]]));
 * [...y.dataSync()].map(Math.round); // [1, 10, 2]
 * ```
 *
 * @throws RangeError when the shapes do not belong together.
 */
export function fftConvolve(x: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
  const [n, length, channels] = x.shape as [number, number, number];
  const [own, taps] = kernel.shape as [number, number];
  if (x.rank !== 3 || kernel.rank !== 2 || own !== channels || taps > length || taps < 1)
    throw new RangeError(
      `fftConvolve: sequences [n, length, channels] and a kernel [channels, taps ≤ length] are required, got [${x.shape}] and [${kernel.shape}]`,
    );
  const matrices = matricesFor(length);
  const [whole, even] = [matrices.length, n + (n % 2)];
  const pairs = (x: tf.Tensor): tf.Tensor =>
    even === n && whole === length
      ? x
      : tf.pad(x, [
          [0, even - n],
          [0, whole - length],
          [0, 0],
        ]);
  const cut = (y: tf.Tensor): tf.Tensor => (even === n && whole === length ? y : tf.slice(y, [0, 0, 0], x.shape));
  const filter = (kernel: tf.Tensor): tf.Tensor =>
    taps === whole
      ? kernel
      : tf.pad(kernel, [
          [0, 0],
          [0, whole - taps],
        ]);
  const [y] = custom(
    ([x, kernel, ...constants]) => {
      const by = transforms(matrices, constants, channels);
      return [cut(by.toPairs(by.times(by.ofPairs(pairs(x!)), by.ofFilter(filter(kernel!)))))];
    },
    ([dy], [x, kernel, ...constants]) => {
      const by = transforms(matrices, constants, channels);
      const d = by.ofPairs(pairs(dy!));
      const summed = tf.sum(by.times(d, by.ofPairs(pairs(x!)), true), 0, true);
      return [
        cut(by.toPairs(by.times(d, by.ofFilter(filter(kernel!)), true))),
        tf.slice(by.toFilter(summed), [0, 0], kernel!.shape),
      ];
    },
    [x, kernel],
    matrices.data.map(([data, shape]) => tf.tensor(data, shape)),
  );
  return y!;
}

/** The transform of twice `length` places as two products, the places being `slow · fast` with `slow` even: only half of it holds numbers. */
interface Matrices {
  readonly length: number;
  readonly slow: number;
  readonly fast: number;
  readonly data: readonly (readonly [Float32Array, number[]])[];
}

const known = new Map<number, Matrices>();
const mostKnown = 8;

function matricesFor(length: number): Matrices {
  const found = known.get(length);
  if (found) return found;
  const slow = 2 ** Math.max(1, Math.round(Math.log2(2 * length) / 2 + 0.25));
  const half = slow / 2;
  const fast = Math.ceil(length / half);
  const [size, turn] = [slow * fast, 2 * Math.PI];
  const table = (
    shape: number[],
    angle: (...at: number[]) => readonly [turns: number, quarter: number, factor?: number],
  ) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b));
    const at = shape.map(() => 0);
    for (let i = 0; i < data.length; i++) {
      const [turns, quarter, factor = 1] = angle(...at);
      data[i] = factor * Math.cos(turn * ((turns % 1) + quarter / 4));
      for (let axis = shape.length - 1; axis >= 0 && ++at[axis]! === shape[axis]; axis--) at[axis] = 0;
    }
    return [data, shape] as const;
  };
  // e^{iθ} as the matrix of its action on (re, im): cos θ, −sin θ = cos(θ + ¼), sin θ = cos(θ − ¼). Angles are in turns.
  const part = (index: number, of: number): readonly [number, number] => [index % of, Math.floor(index / of)];
  const between = (frequency: number, j: number, k: number): number => (j * frequency) / size + (j * k) / fast;
  const data = [
    // a pair's places, real ones, then imaginary ones, to the real and the imaginary part of each slow frequency; and back
    table([2 * slow, slow], (row, column) => {
      const [[to, frequency], [place, from]] = [part(row, 2), part(column, half)];
      return [-(place * frequency) / slow, from - to];
    }),
    table([slow, 2 * slow], (row, column) => {
      const [[place, to], [from, frequency]] = [part(row, half), part(column, 2)];
      return [(place * frequency) / slow, from - to];
    }),
    // at each slow frequency from the places between, real parts, then imaginary ones, to the fast frequencies; and back
    table([slow, 2 * fast, 2 * fast], (frequency, row, column) => {
      const [[k, to], [j, from]] = [part(row, fast), part(column, fast)];
      return [-between(frequency, j, k), from - to];
    }),
    table([slow, 2 * fast, 2 * fast], (frequency, row, column) => {
      const [[j, to], [k, from]] = [part(row, fast), part(column, fast)];
      return [between(frequency, j, k), from - to, 1 / size];
    }),
  ];
  const made = { length: half * fast, slow, fast, data };
  if (known.size >= mostKnown) known.delete(known.keys().next().value!);
  known.set(length, made);
  return made;
}

/** From examples two by two, or from filters, to spectra `[pairs, slow, 2 · fast, channels]`, and back: products from the left alone, so that nothing is turned round. */
function transforms({ slow, fast, length }: Matrices, constants: readonly tf.Tensor[], channels: number) {
  const [within, withinBack, across, acrossBack] = constants as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const half = slow / 2;
  const spectrum = (rows: tf.Tensor, matrix: tf.Tensor): tf.Tensor =>
    tf.matMul(across, tf.reshape(tf.matMul(matrix, rows), [-1, slow, 2 * fast, channels]));
  const places = (spectrum: tf.Tensor, matrix: tf.Tensor): tf.Tensor =>
    tf.matMul(matrix, tf.reshape(tf.matMul(acrossBack, spectrum), [-1, 2 * slow, fast * channels]));
  return {
    ofPairs: (x: tf.Tensor): tf.Tensor => spectrum(tf.reshape(x, [-1, slow, fast * channels]), within),
    toPairs: (of: tf.Tensor): tf.Tensor => tf.reshape(places(of, withinBack), [-1, length, channels]),
    // the real half of a pair
    ofFilter: (kernel: tf.Tensor): tf.Tensor =>
      spectrum(
        tf.reshape(tf.transpose(kernel), [1, half, fast * channels]),
        tf.slice(within, [0, 0], [2 * slow, half]),
      ),
    toFilter: (of: tf.Tensor): tf.Tensor =>
      tf.transpose(
        tf.reshape(places(of, tf.slice(withinBack, [0, 0], [half, 2 * slow])), [length, channels]) as tf.Tensor2D,
      ),
    /** The products of the numbers of two spectra, of which the second may be conjugate. */
    times(a: tf.Tensor, b: tf.Tensor, conjugate = false): tf.Tensor {
      const [x, y] = [a, b].map((of): Complex => {
        const [re, im] = tf.split(tf.reshape(of, [-1, slow, 2, fast * channels]), 2, 2) as [tf.Tensor, tf.Tensor];
        return { re, im };
      }) as [Complex, Complex];
      const { re, im } = complex.times(x, conjugate ? complex.conjugate(y) : y);
      return tf.reshape(tf.concat([re, im], 2), [-1, slow, 2 * fast, channels]);
    },
  };
}
