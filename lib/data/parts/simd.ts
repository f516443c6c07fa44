/** Turns bytes into single precision sixteen at a time, in WebAssembly: JavaScript engines do it one by one. */

/**
 * The module, assembled by hand. `f(from, to, count, divisor)` reads `count` bytes (a multiple of 16, at least 16) at `from` in memory
 * `e.m` and writes each, divided by `divisor`, as a float at `to`.
 */
const store = (offset: number, high: boolean): number[] => [
  ...[0x20, 1, 0x20, 6], // the place, and eight 16-bit numbers
  ...[0xfd, high ? 0xaa : 0xa9, 0x01], // four of them as 32-bit numbers
  ...[0xfd, 0xfb, 0x01], // as floats
  ...[0x20, 4, 0xfd, 0xe7, 0x01], // divided
  ...[0xfd, 0x0b, 0x00, offset], // written
];
const widen = (high: boolean): number[] => [0x20, 5, 0xfd, high ? 0x8a : 0x89, 0x01, 0x21, 6];
const add = (local: number, constant: readonly number[]): number[] => [
  0x20,
  local,
  0x41,
  ...constant,
  0x6a,
  0x21,
  local,
];
const body = [
  ...[0x01, 0x03, 0x7b], // three vectors: the divisor, sixteen bytes, eight numbers
  ...[0x20, 3, 0xfd, 0x13, 0x21, 4],
  ...[0x03, 0x40, 0x20, 0, 0xfd, 0x00, 0x00, 0x00, 0x21, 5],
  ...widen(false),
  ...store(0, false),
  ...store(16, true),
  ...widen(true),
  ...store(32, false),
  ...store(48, true),
  ...add(0, [16]),
  ...add(1, [0xc0, 0x00]),
  ...[0x20, 2, 0x41, 16, 0x6b, 0x22, 2, 0x41, 0, 0x4a, 0x0d, 0x00], // again, while some are left
  ...[0x0b, 0x0b],
];
const size = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
const section = (id: number, content: readonly number[]): number[] => [id, ...size(content.length), ...content];
const module = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...section(1, [1, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7d, 0]),
  ...section(2, [1, 1, 0x65, 1, 0x6d, 0x02, 0x00, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1, 1, 0x66, 0, 0]),
  ...section(10, [1, ...size(body.length), ...body]),
]);

interface Machine {
  readonly convert: (from: number, to: number, count: number, divisor: number) => void;
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  bytes: Uint8Array;
  floats: Float32Array;
}

let machine: Machine | null | undefined;

/** The part of WebAssembly that is used; Node's own types leave it to the browser's. */
declare const WebAssembly: {
  Memory: new (size: { initial: number }) => Machine["memory"];
  Module: new (code: Uint8Array) => object;
  Instance: new (of: object, imports: object) => { readonly exports: { readonly f: Machine["convert"] } };
};

function started(): Machine | null {
  try {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { e: { m: memory } });
    return {
      convert: exports.f,
      memory,
      bytes: new Uint8Array(memory.buffer),
      floats: new Float32Array(memory.buffer),
    };
  } catch {
    return null; // no vectors on this machine
  }
}

/** Room for `count` bytes and their floats; null where there are no vectors. */
export function room(count: number): Uint8Array | null {
  machine ??= machine === undefined ? started() : null;
  if (machine === null) return null;
  const needed = 5 * (count + 64) + 64;
  if (machine.memory.buffer.byteLength < needed) {
    machine.memory.grow(Math.ceil((needed - machine.memory.buffer.byteLength) / 65536));
    machine.bytes = new Uint8Array(machine.memory.buffer);
    machine.floats = new Float32Array(machine.memory.buffer);
  }
  return machine.bytes;
}

/** Writes the first `count` bytes of the room, each divided, into `out` as floats. */
export function divided(count: number, divisor: number, out: Float32Array): void {
  const { convert, floats } = machine!;
  const whole = 16 * Math.ceil(count / 16);
  convert(0, whole, whole, divisor);
  out.set(floats.subarray(whole / 4, whole / 4 + count));
}
