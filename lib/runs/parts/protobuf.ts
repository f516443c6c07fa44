/** The wire format of protocol buffers, as far as trackers' records need it: fields by number, each as its bytes. */

function digits(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

/** A whole number that is not negative. */
export const varint = (field: number, value: number): number[] => [...digits(field << 3), ...digits(value)];

/** Bytes, text or a message. */
export const block = (field: number, bytes: ArrayLike<number>): number[] => [
  ...digits((field << 3) | 2),
  ...digits(bytes.length),
  ...Array.from(bytes),
];

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export function double(field: number, value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return [...digits((field << 3) | 1), ...new Uint8Array(view.buffer)];
}

export function float(field: number, value: number): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return [...digits((field << 3) | 5), ...new Uint8Array(view.buffer)];
}
