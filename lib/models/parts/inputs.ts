/** What a person gives a trained network, as batches that it takes. */
import { readFileSync } from "node:fs";
import { type Examples, gather, type Shape, sizeOf, type Target } from "../../data/dataset.ts";
import type { Nested, Numbers } from "../../data/from-arrays.ts";
import { decodeImage } from "../../data/parts/images.ts";
import { resized } from "../../data/parts/resize.ts";
import { tf } from "../../engine/index.ts";
import type { TrainedNetwork } from "../trained.ts";

/**
 * Examples as a person has them: a tensor; a table of a data set or of a stream (`data.test`, `stream.test(0).examples`); numbers, nested or
 * flat, of one example or of several; the path of a PNG or JPEG file, or several; for tokens a text.
 *
 * A tensor is what the network sees: bytes already multiplied by `network.scale`. All else is as the data set has it. Bytes are multiplied by
 * the scale; so are whole numbers in a plain array where the data set has bytes and one of them is above 1, while numbers from 0 to 1 are
 * taken as they are. Bytes of image files go from 0 to 1.
 */
export type NetworkInput = tf.Tensor | Examples | Numbers | string | readonly Nested[] | readonly string[];

/** What the network was trained on. */
export interface InputRules {
  readonly input: Shape;
  /** What raw numbers are multiplied by, and whether they are bytes. */
  readonly scale: number;
  readonly bytes: boolean;
  readonly target: Target;
  readonly classes: readonly string[];
  /** Whether an input of another length may be given too. */
  readonly free: boolean;
}

/** The rules by which a trained network reads what a person gives. */
export function rulesOf({ parts, input, scale, classes, model }: TrainedNetwork): InputRules {
  const { bytes = scale !== 1, target = "class" } = parts;
  return { input, scale, bytes, target, classes, free: model.accepts.includes("sequence") };
}

/** What may be asked for with an input. */
export interface InputOptions {
  /** Whether images of another size are resized to the network's, by bilinear interpolation; default false. */
  readonly resize?: boolean;
}

/** Examples that are turned into tensors batch by batch. */
export interface Batches {
  readonly length: number;
  /** The tensor of so many examples from one on. It is the caller's to free, unless it is the one that was given. */
  tensor(from: number, count: number): tf.Tensor;
  /** The tensor that was given, in place of batches. */
  readonly given?: tf.Tensor;
}

/**
 * What a person gave as batches for a network.
 *
 * @throws TypeError, RangeError when the numbers do not fit: it names both shapes, or the number that is out of range.
 */
export function batchesOf(given: NetworkInput, rules: InputRules, options: InputOptions = {}): Batches {
  if (given instanceof tf.Tensor) return ofTensor(given, rules);
  if (typeof given === "string") return ofStrings([given], rules, options);
  if (isTable(given)) return ofTable(given, rules, options);
  if (Array.isArray(given) && given.length > 0 && given.every((each) => typeof each === "string"))
    return ofStrings(given, rules, options);
  if (!ArrayBuffer.isView(given) && !Array.isArray(given))
    throw new TypeError(
      `network: a tensor, numbers, a table of examples or the path of an image is required, got ${described(given)}; data.test is a table of a data set`,
    );
  const { values, shape } = flattened(given as Numbers | readonly Nested[]);
  const size = sizeOf(rules.input);
  const fits =
    shape.length === 1 ||
    [...counted(rules.input)].some((own) => own === String(shape) || own === String(shape.slice(1)));
  if (values.length === 0 || values.length % size !== 0 || !fits)
    throw new RangeError(
      `network: numbers of one or more examples of shape [${rules.input}] are required, ${size} for each, got ${values.length} of shape [${shape}]`,
    );
  return ofRows(scaledAs(values, rules), rules);
}

/** Rows of a table that go through the network together. */
export const rowsAtOnce = 256;

/** What a function gives for all batches, one after the other; a tensor that was given goes through at once. */
export function inBatches(batches: Batches, f: (batch: tf.Tensor) => tf.Tensor): tf.Tensor {
  if (batches.given !== undefined) return f(batches.given);
  return tf.tidy(() => {
    const parts: tf.Tensor[] = [];
    for (let from = 0; from < batches.length; from += rowsAtOnce)
      parts.push(tf.tidy(() => f(batches.tensor(from, Math.min(rowsAtOnce, batches.length - from)))));
    return parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
  });
}

/** The shape itself, in one row, and without its one channel. */
function* counted(shape: Shape): Generator<string> {
  yield String(shape);
  yield String(sizeOf(shape));
  if (shape.length === 3 && shape[2] === 1) yield String(shape.slice(0, 2));
}

const isTable = (given: unknown): given is Examples =>
  typeof given === "object" && given !== null && "read" in given && "labels" in given && "scale" in given;

const described = (given: unknown): string =>
  typeof given === "object" && given !== null && "train" in given
    ? "a data set"
    : given === null
      ? "null"
      : typeof given;

function ofTensor(given: tf.Tensor, { input, free }: InputRules): Batches {
  const rank = input.length;
  const own = given.rank === rank ? given.shape : given.shape.slice(1);
  if ((given.rank !== rank && given.rank !== rank + 1) || (!free && String(own) !== String(input)))
    throw new RangeError(`network: a tensor of shape [n, ${input}] is required, got [${given.shape}]`);
  if (given.rank === rank + 1) return { length: given.shape[0]!, given, tensor: () => given };
  return { length: 1, tensor: () => tf.expandDims(given, 0) };
}

function ofTable(given: Examples, rules: InputRules, { resize = false }: InputOptions): Batches {
  if (given.length === 0) throw new RangeError("network: at least one example is required, got an empty table");
  const size = sizeOf(given.shape);
  const same = String(given.shape) === String(rules.input);
  if (!same && !(resize && given.shape.length === 3 && rules.input.length === 3))
    throw new RangeError(
      `network: examples of shape [${rules.input}] are required, got a table of shape [${given.shape}]${given.shape.length === 3 ? "; { resize: true } resizes images" : ""}`,
    );
  const turn = same ? undefined : resized(given.shape, rules.input);
  return {
    length: given.length,
    tensor(from, count) {
      const at = Uint32Array.from({ length: count }, (_, i) => from + i);
      const rows = gather(given, at);
      if (turn === undefined) return tf.tensor(rows, [count, ...rules.input]);
      const wide = sizeOf(rules.input);
      const out = new Float32Array(count * wide);
      for (let i = 0; i < count; i++)
        turn(rows.subarray(i * size, (i + 1) * size), out.subarray(i * wide, (i + 1) * wide));
      return tf.tensor(out, [count, ...rules.input]);
    },
  };
}

function ofRows(values: Float32Array, { input }: InputRules): Batches {
  const size = sizeOf(input);
  return {
    length: values.length / size,
    tensor: (from, count) => tf.tensor(values.slice(from * size, (from + count) * size), [count, ...input]),
  };
}

/** Files of images, or texts where tokens are asked for. */
function ofStrings(given: readonly string[], rules: InputRules, options: InputOptions): Batches {
  const size = sizeOf(rules.input);
  const out = new Float32Array(given.length * size);
  given.forEach((each, i) => {
    out.set(rules.target === "tokens" ? tokensOf(each, rules) : imageOf(each, rules, options), i * size);
  });
  return ofRows(out, rules);
}

function imageOf(path: string, { input, scale, bytes }: InputRules, { resize = false }: InputOptions): Float32Array {
  if (input.length !== 3)
    throw new TypeError(`network: examples of shape [${input}] are required, got an image file (${path})`);
  if (!bytes)
    throw new TypeError(
      `network: a network that was trained on bytes is required for an image file, got one of other numbers; decode ${path}, and give numbers as the data set has them`,
    );
  const image = decodeImage(readFileSync(path), path);
  const same = String(image.shape) === String(input);
  if (!same && !resize)
    throw new RangeError(
      `network: an image of shape [${input}] is required, got [${image.shape}] in ${path}; { resize: true } resizes it`,
    );
  const turned = same ? image.bytes : new Uint8Array(sizeOf(input));
  if (!same) resized(image.shape, input)(image.bytes, turned);
  return Float32Array.from(turned, (byte) => (scale === 1 ? byte : byte / 255));
}

function tokensOf(text: string, { input, classes }: InputRules): Float32Array {
  const place = new Map(classes.map((name, i) => [name, i]));
  const units = [...text];
  if (units.length !== input[0])
    throw new RangeError(`network: a text of ${input[0]} tokens is required, got ${units.length}`);
  return Float32Array.from(units, (unit) => {
    const found = place.get(unit);
    if (found !== undefined) return found;
    throw new RangeError(`network: tokens of the data set are required, got ${JSON.stringify(unit)}`);
  });
}

/** All numbers one after the other, and how they were nested; a list of bytes stays bytes. */
function flattened(given: Numbers | readonly Nested[]): { values: Numbers; shape: number[] } {
  if (ArrayBuffer.isView(given)) {
    const values = given as Numbers;
    if (typeof values[0] === "bigint") throw new TypeError("network: numbers are required, got bigints");
    return { values, shape: [values.length] };
  }
  const shape: number[] = [];
  for (let at: unknown = given; typeof at === "object" && at !== null; at = (at as ArrayLike<unknown>)[0])
    shape.push((at as ArrayLike<unknown>).length);
  const size = sizeOf(shape);
  const bytes = given.every(isBytes);
  const values = bytes ? new Uint8Array(size) : new Float64Array(size);
  let next = 0;
  const visit = (at: unknown, depth: number): void => {
    if (depth === shape.length && typeof at === "number") {
      values[next++] = at;
      return;
    }
    const { length } = Object(at) as { length?: unknown };
    if (depth === shape.length || typeof at !== "object" || length !== shape[depth])
      throw new RangeError(
        `network: numbers nested alike are required, got ${typeof at === "object" ? `a list of ${String(length)}` : String(at)} beside [${shape.slice(depth)}] in example ${Math.floor((next / size) * shape[0]!)}`,
      );
    for (const inner of Array.from(at as ArrayLike<unknown>)) visit(inner, depth + 1);
  };
  visit(given, 0);
  return { values, shape };
}

const isBytes = (row: unknown): boolean => row instanceof Uint8Array || row instanceof Uint8ClampedArray;

/** Raw numbers as the network sees them. */
function scaledAs(values: Numbers, { scale, bytes }: InputRules): Float32Array {
  const most = Math.round(1 / scale);
  let [least, largest, whole] = [Infinity, -Infinity, true];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) throw new RangeError(`network: finite numbers are required, got ${value} at ${i}`);
    [least, largest] = [Math.min(least, value), Math.max(largest, value)];
    whole &&= Number.isInteger(value);
  }
  if (!bytes || scale === 1) return Float32Array.from(values, (value) => value * scale);
  const raw = isBytes(values) || largest > 1;
  if (least < 0 || (raw && (!whole || largest > most)))
    throw new RangeError(
      `network: bytes from 0 to ${most}, as the data set has them, or numbers from 0 to 1 are required, got numbers from ${least} to ${largest}`,
    );
  return Float32Array.from(values, (value) => (raw ? value * scale : value));
}
