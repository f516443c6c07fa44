/** What a data set is: tables of raw examples with labels, which stay bytes until they are a batch. */

/** Any value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The shape of one example, without the batch axis: `[28, 28, 1]`, `[20]`, `[64, 32]`. */
export type Shape = readonly number[];

/** What one example is; a model says which kinds it accepts. */
export type Kind = "image" | "vector" | "sequence";

/** Raw numbers as they came: bytes for images, floats for the rest. */
export type Raw = Uint8Array | Float32Array;

/** A table of labelled examples. Rows are read on demand, so a view of a table copies nothing. */
export interface Examples {
  /** How many examples there are. */
  readonly length: number;
  /** The shape of one example. */
  readonly shape: Shape;
  /** What raw numbers are multiplied by when a batch is made: 1/255 for bytes of an image, 1 for floats. */
  readonly scale: number;
  /** Whether raw rows are bytes (`Uint8Array`) or floats (`Float32Array`). */
  readonly bytes: boolean;
  /** The class of each example; −1 where it has none. */
  readonly labels: Int32Array;
  /** Writes the raw rows of the examples `at` into `out`, one after the other, from position `offset` (in numbers, default 0). */
  read(at: ArrayLike<number>, out: Raw, offset?: number): void;
}

/** A named data set with a train and a test table over the same classes. */
export interface Dataset<K extends Kind = Kind> {
  readonly name: string;
  readonly kind: K;
  readonly shape: Shape;
  /** A name for each class, in the order of the labels. */
  readonly classes: readonly string[];
  readonly train: Examples;
  readonly test: Examples;
  /** Fingerprint of the numbers and labels: two data sets with the same one are the same data. */
  readonly checksum: string;
  /** Where it comes from and under which licence. */
  readonly source: string;
  toJSON(): { name: string; checksum: string };
}

/** How many numbers one example has. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** A table over arrays in memory. `x` holds the rows one after the other. */
export function table(x: Raw, labels: Int32Array, shape: Shape, scale: number): Examples {
  const size = sizeOf(shape);
  if (x.length !== labels.length * size) {
    throw new RangeError(
      `table: ${labels.length} labels and examples of shape [${shape}] need ${labels.length * size} numbers, got ${x.length}`,
    );
  }
  return {
    length: labels.length,
    shape,
    scale,
    bytes: x instanceof Uint8Array,
    labels,
    read(at, out, offset = 0) {
      for (let i = 0; i < at.length; i++) out.set(x.subarray(at[i]! * size, at[i]! * size + size), offset + i * size);
    },
  };
}

/** The examples `at` of another table, without copying them; `labels` replaces their labels. */
export function select(of: Examples, at: Uint32Array, labels?: Int32Array): Examples {
  return {
    length: at.length,
    shape: of.shape,
    scale: of.scale,
    bytes: of.bytes,
    labels: labels ?? Int32Array.from(at, (i) => of.labels[i]!),
    read(rows, out, offset) {
      const inner = new Uint32Array(rows.length);
      for (let i = 0; i < rows.length; i++) inner[i] = at[rows[i]!]!;
      of.read(inner, out, offset);
    },
  };
}

/** Two or more tables of one shape, one after the other. */
export function joined(parts: readonly Examples[]): Examples {
  const [first] = parts;
  if (first === undefined) throw new RangeError("joined: at least one table is required, got none");
  for (const part of parts) {
    if (String(part.shape) !== String(first.shape) || part.bytes !== first.bytes || part.scale !== first.scale) {
      throw new TypeError(
        `joined: tables of one shape and type are required, got [${first.shape}] and [${part.shape}]`,
      );
    }
  }
  const starts: number[] = [];
  let length = 0;
  for (const part of parts) {
    starts.push(length);
    length += part.length;
  }
  const labels = new Int32Array(length);
  parts.forEach((part, i) => {
    labels.set(part.labels, starts[i]!);
  });
  const size = sizeOf(first.shape);
  const one = new Uint32Array(1);
  return {
    length,
    shape: first.shape,
    scale: first.scale,
    bytes: first.bytes,
    labels,
    read(at, out, offset = 0) {
      for (let i = 0; i < at.length; i++) {
        let part = parts.length - 1;
        while (starts[part]! > at[i]!) part--;
        one[0] = at[i]! - starts[part]!;
        parts[part]!.read(one, out, offset + i * size);
      }
    },
  };
}

/** The same rows passed through a function of raw numbers, when they are read: a permutation of pixels, a rotation. */
export function mapped(of: Examples, transform: (row: Raw, out: Raw) => void, shape: Shape = of.shape): Examples {
  const [from, to] = [sizeOf(of.shape), sizeOf(shape)];
  const buffer = (n: number): Raw => (of.bytes ? new Uint8Array(n) : new Float32Array(n));
  return {
    ...of,
    shape,
    read(at, out, offset = 0) {
      const rows = buffer(at.length * from);
      of.read(at, rows);
      for (let i = 0; i < at.length; i++) {
        const start = offset + i * to;
        transform(rows.subarray(i * from, (i + 1) * from), out.subarray(start, start + to));
      }
    },
  };
}

/** A batch of examples as the model sees them: single precision, scaled, rows one after the other. */
export function gather(of: Examples, at: ArrayLike<number>, out?: Float32Array): Float32Array {
  const size = sizeOf(of.shape);
  const batch = out ?? new Float32Array(at.length * size);
  if (!of.bytes) {
    of.read(at, batch);
    if (of.scale !== 1) for (let i = 0; i < batch.length; i++) batch[i] = batch[i]! * of.scale;
    return batch;
  }
  const raw = new Uint8Array(at.length * size);
  of.read(at, raw);
  const scale = of.scale;
  for (let i = 0; i < raw.length; i++) batch[i] = raw[i]! * scale;
  return batch;
}
