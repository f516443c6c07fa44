/** What a data set is: tables of raw examples with labels, which stay bytes until they are a batch. */
import { createHash } from "node:crypto";
import { scaled, scaledRows, shuffled } from "./parts/scaled.ts";
import { scatter } from "./parts/scatter.ts";
import { requireSoundData } from "./parts/sound.ts";

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
  /** What each example asks for when it is more than one class: real numbers, several labels, the next tokens. */
  readonly targets?: Targets;
  /** Writes the raw rows of the examples `at` into `out`, one after the other, from position `offset` (in numbers, default 0). */
  read(at: ArrayLike<number>, out: Raw, offset?: number): void;
}

/** What the examples of a table ask for besides their class, as numbers that are read on demand. */
export interface Targets {
  /** How many numbers each example has. */
  readonly width: number;
  /** Writes the targets of the examples `at` into `out`, one after the other, from position `offset` (in numbers, default 0). */
  read(at: ArrayLike<number>, out: Float32Array, offset?: number): void;
}

/**
 * What the learner gives for an example: one class; real numbers, which its `targets` are; several classes at once, whose `targets` are a
 * 0 or 1 for each column; or a class at each position of a sequence, whose `targets` are those classes (−1 where none is asked for).
 */
export type Target = "class" | "numbers" | "labels" | "tokens";

/** A named data set with a train and a test table over the same classes. */
export interface Dataset<K extends Kind = Kind> {
  readonly name: string;
  readonly kind: K;
  readonly shape: Shape;
  /** A name for each class, in the order of the labels; for each number, where numbers are asked for. */
  readonly classes: readonly string[];
  /** What the learner gives for an example; "class" unless it is said. */
  readonly target?: Target;
  readonly train: Examples;
  readonly test: Examples;
  /** Fingerprint of the numbers and labels: two data sets with the same one are the same data. */
  readonly checksum: string;
  /** Where it comes from and under which licence. */
  readonly source: string;
  toJSON(): { name: string; checksum: string };
}

/** What must be said to make a data set; the rest follows from it. */
export type DatasetParts<K extends Kind> = Omit<Dataset<K>, "shape" | "checksum" | "toJSON">;

/**
 * Makes a data set of its parts: the two tables are checked against each other and against the classes, the checksum is worked out when
 * it is first asked for.
 *
 * @throws RangeError when a table is empty, the shapes differ, a label is outside the classes, two classes have one name, or targets are
 * not as many as the names; TypeError when nothing says what the examples ask for.
 */
export function makeDataset<K extends Kind>(parts: DatasetParts<K>): Dataset<K> {
  requireSoundData(parts);
  const { name, train } = parts;
  let checksum: string | undefined;
  const made: Dataset<K> = {
    ...parts,
    shape: train.shape,
    get checksum() {
      checksum ??= fingerprint(parts);
      return checksum;
    },
    toJSON: () => ({ name, checksum: made.checksum }),
  };
  return Object.freeze(made);
}

/** SHA-256 over the shape, the class names, and every number, label and target of both tables. */
function fingerprint({ train, test, classes }: Pick<Dataset, "train" | "test" | "classes">): string {
  const hash = createHash("sha256").update(JSON.stringify([train.shape, train.scale, classes]));
  const size = sizeOf(train.shape);
  const chunk = Math.max(1, Math.floor(4e6 / size));
  for (const of of [train, test]) {
    hash.update(new Uint8Array(of.labels.buffer, of.labels.byteOffset, of.labels.byteLength));
    for (let start = 0; start < of.length; start += chunk) {
      const at = Uint32Array.from({ length: Math.min(chunk, of.length - start) }, (_, i) => start + i);
      const rows = numbers(of.bytes, at.length * size);
      of.read(at, rows);
      hash.update(new Uint8Array(rows.buffer));
      if (of.targets) hash.update(new Uint8Array(gatherTargets(of, at).buffer));
    }
  }
  return hash.digest("hex");
}

/** How many numbers one example has. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Where the rows of a table in memory lie, and of what a view is a view: a view of a view, or a batch of one, reads in one step. */
const arrays = new WeakMap<Examples, Raw>();
const views = new WeakMap<Examples, { readonly of: Examples; readonly at: Uint32Array }>();
const arrangements = new WeakMap<Examples, { readonly of: Examples; readonly from: Uint32Array }>();

/**
 * A table over arrays in memory, which are not copied. `x` holds the rows one after the other.
 *
 * @throws RangeError when `x` is not as long as `labels` and `shape` say.
 */
export function table(x: Raw, labels: Int32Array, shape: Shape, scale: number, targets?: Targets): Examples {
  const size = sizeOf(shape);
  if (x.length !== labels.length * size) {
    throw new RangeError(
      `table: ${labels.length} labels and examples of shape [${shape}] need ${labels.length * size} numbers, got ${x.length}`,
    );
  }
  const made: Examples = {
    length: labels.length,
    shape,
    scale,
    bytes: x instanceof Uint8Array,
    labels,
    ...(targets && { targets }),
    read(at, out, offset = 0) {
      for (let i = 0; i < at.length; i++) out.set(x.subarray(at[i]! * size, at[i]! * size + size), offset + i * size);
    },
  };
  arrays.set(made, x);
  return made;
}

/** Targets over an array in memory: `values` holds `width` numbers for each example, one after the other. */
export function targetTable(values: Float32Array, width: number): Targets {
  return {
    width,
    read(at, out, offset = 0) {
      for (let i = 0; i < at.length; i++)
        for (let j = 0; j < width; j++) out[offset + i * width + j] = values[at[i]! * width + j]!;
    },
  };
}

/**
 * The examples `at` of another table, without copying them; `labels` replaces their labels.
 *
 * @throws RangeError when `at` points past the end of the table, or there is not one label for each example.
 */
export function select(of: Examples, at: Uint32Array, labels?: Int32Array): Examples {
  if (labels !== undefined && labels.length !== at.length)
    throw new RangeError(`select: one label for each of ${at.length} examples is required, got ${labels.length}`);
  const own = labels ?? new Int32Array(at.length);
  for (let i = 0; i < at.length; i++) {
    if (at[i]! >= of.length)
      throw new RangeError(`select: an example from 0 to ${of.length - 1} is required, got ${at[i]}`);
    if (labels === undefined) own[i] = of.labels[at[i]!]!;
  }
  const view = views.get(of);
  const base = view?.of ?? of;
  const rows = view === undefined ? at : through(view.at, at);
  const made: Examples = {
    length: rows.length,
    shape: of.shape,
    scale: of.scale,
    bytes: of.bytes,
    labels: own,
    ...(base.targets && { targets: selectTargets(base.targets, rows) }),
    read: (wanted, out, offset) => base.read(through(rows, wanted), out, offset),
  };
  views.set(made, { of: base, at: rows });
  return made;
}

/** The same examples with other labels. */
export function relabelled(of: Examples, labels: Int32Array): Examples {
  if (labels.length !== of.length)
    throw new RangeError(`relabelled: one label for each of ${of.length} examples is required, got ${labels.length}`);
  const made: Examples = { ...of, labels };
  const [x, view, arrangement] = [arrays.get(of), views.get(of), arrangements.get(of)];
  if (x !== undefined) arrays.set(made, x);
  if (view !== undefined) views.set(made, view);
  if (arrangement !== undefined) arrangements.set(made, arrangement);
  return made;
}

function through(rows: Uint32Array, wanted: ArrayLike<number>): Uint32Array {
  const out = new Uint32Array(wanted.length);
  for (let i = 0; i < out.length; i++) out[i] = rows[wanted[i]!]!;
  return out;
}

function selectTargets(of: Targets, rows: Uint32Array): Targets {
  return { width: of.width, read: (wanted, out, offset) => of.read(through(rows, wanted), out, offset) };
}

/**
 * Two or more tables of one shape, one after the other.
 *
 * @throws RangeError without a table, TypeError when their shapes, types or targets differ.
 */
export function joined(parts: readonly Examples[]): Examples {
  const [first] = parts;
  if (first === undefined) throw new RangeError("joined: at least one table is required, got none");
  if (parts.length === 1) return first;
  for (const part of parts) {
    if (String(part.shape) !== String(first.shape) || part.bytes !== first.bytes || part.scale !== first.scale)
      throw new TypeError(
        `joined: tables of one shape and type are required, got ${described(first)} and ${described(part)}`,
      );
    if (part.targets?.width !== first.targets?.width)
      throw new TypeError("joined: tables that all have targets of one width, or none, are required");
  }
  const starts = new Uint32Array(parts.length + 1);
  parts.forEach((part, i) => {
    starts[i + 1] = starts[i]! + part.length;
  });
  const length = starts[parts.length]!;
  const labels = new Int32Array(length);
  parts.forEach((part, i) => {
    labels.set(part.labels, starts[i]!);
  });
  const base = views.get(first)?.of;
  if (base !== undefined && parts.every((part) => views.get(part)?.of === base)) {
    const rows = new Uint32Array(length);
    parts.forEach((part, i) => {
      rows.set(views.get(part)!.at, starts[i]!);
    });
    return select(base, rows, labels);
  }
  const size = sizeOf(first.shape);
  const width = first.targets?.width ?? 0;
  return {
    length,
    shape: first.shape,
    scale: first.scale,
    bytes: first.bytes,
    labels,
    ...(first.targets && {
      targets: {
        width,
        read: (at, out, offset = 0) =>
          scatter(starts, at, (part, rows, places) => {
            const got = new Float32Array(rows.length * width);
            parts[part]!.targets!.read(rows, got);
            for (let i = 0; i < rows.length; i++)
              out.set(got.subarray(i * width, (i + 1) * width), offset + places[i]! * width);
          }),
      },
    }),
    read: (at, out, offset = 0) =>
      scatter(starts, at, (part, rows, places) => {
        const got = numbers(first.bytes, rows.length * size);
        parts[part]!.read(rows, got);
        for (let i = 0; i < rows.length; i++)
          out.set(got.subarray(i * size, (i + 1) * size), offset + places[i]! * size);
      }),
  };
}

/**
 * The same rows passed through a function of raw numbers when they are read: a permutation of pixels, a rotation.
 * `transform` gets the row, where to write, and the example's position in `of`, for what differs between examples.
 */
export function mapped(
  of: Examples,
  transform: (row: Raw, out: Raw, at: number) => void,
  shape: Shape = of.shape,
): Examples {
  const [from, to] = [sizeOf(of.shape), sizeOf(shape)];
  return mappedTogether(
    of,
    (rows, out, at) => {
      for (let i = 0; i < at.length; i++)
        transform(rows.subarray(i * from, (i + 1) * from), out.subarray(i * to, (i + 1) * to), at[i]!);
    },
    shape,
  );
}

/** As `mapped`, with a transformation of many rows at a time, which lie one after the other; `at` are their positions in `of`. */
export function mappedTogether(
  of: Examples,
  transform: (rows: Raw, out: Raw, at: ArrayLike<number>) => void,
  shape: Shape = of.shape,
): Examples {
  const [from, to] = [sizeOf(of.shape), sizeOf(shape)];
  return {
    ...of,
    shape,
    read(at, out, offset = 0) {
      const rows = numbers(of.bytes, at.length * from);
      of.read(at, rows);
      transform(rows, out.subarray(offset, offset + at.length * to), at);
    },
  };
}

/** The same rows with their numbers in another order: number `j` of a row is what number `from[j]` was. */
export function rearranged(of: Examples, from: Uint32Array): Examples {
  const made = mapped(of, (row, out) => {
    for (let j = 0; j < from.length; j++) out[j] = row[from[j]!]!;
  });
  arrangements.set(made, { of, from });
  return made;
}

let scratch = new Uint8Array(0);

/** A batch of examples as the model sees them: single precision, scaled, rows one after the other. */
export function gather(of: Examples, at: ArrayLike<number>, out?: Float32Array): Float32Array {
  const size = sizeOf(of.shape);
  const count = at.length * size;
  const batch = out ?? new Float32Array(count);
  // where the rows lie in memory, through at most a view, another order of their numbers, and a view
  const outer = views.get(of);
  const arrangement = arrangements.get(outer?.of ?? of);
  const inner = arrangement && views.get(arrangement.of);
  const x = arrays.get(inner?.of ?? arrangement?.of ?? outer?.of ?? of);
  if (x !== undefined) {
    const rowAt = (i: number): number => {
      const row = outer === undefined ? at[i]! : outer.at[at[i]!]!;
      return size * (inner === undefined ? row : inner.at[row]!);
    };
    if (arrangement === undefined) {
      if (x instanceof Uint8Array && scaledRows(x, rowAt, at.length, size, of.scale, batch)) return batch;
      for (let i = 0; i < at.length; i++) scaled(x, rowAt(i), size, of.scale, batch, i * size);
    } else for (let i = 0; i < at.length; i++) shuffled(x, rowAt(i), arrangement.from, of.scale, batch, i * size);
    return batch;
  }
  if (!of.bytes) {
    of.read(at, batch);
    if (of.scale !== 1) for (let i = 0; i < count; i++) batch[i] = batch[i]! * of.scale;
    return batch;
  }
  if (scratch.length < count) scratch = new Uint8Array(4 * Math.ceil(count / 4));
  const raw = scratch;
  of.read(at, raw);
  if (!scaledRows(raw, () => 0, 1, count, of.scale, batch)) scaled(raw, 0, count, of.scale, batch, 0);
  return batch;
}

/** The targets of a batch of examples, rows one after the other. */
export function gatherTargets(of: Examples, at: ArrayLike<number>, out?: Float32Array): Float32Array {
  if (of.targets === undefined)
    throw new TypeError("gatherTargets: examples with targets are required, got examples that have labels alone");
  const batch = out ?? new Float32Array(at.length * of.targets.width);
  of.targets.read(at, batch);
  return batch;
}

function numbers(bytes: boolean, n: number): Raw {
  return bytes ? new Uint8Array(n) : new Float32Array(n);
}

function described(of: Examples): string {
  return `${of.bytes ? "bytes" : "floats"} of shape [${of.shape}] × ${of.scale}`;
}
