/** What regression tests share. */

/** A .npy file (version 1) of values in C order. */
export function npyOf(
  type: string,
  shape: readonly number[],
  values: readonly (number | bigint | string)[],
): Uint8Array {
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }\n`;
  const wide = type.startsWith("<U") ? 4 * Number(type.slice(2)) : Number(/\d+$/.exec(type)![0]);
  const file = new Uint8Array(10 + header.length + values.length * wide);
  file.set([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length & 255, header.length >> 8]);
  file.set(Buffer.from(header), 10);
  const view = new DataView(file.buffer);
  for (const [i, value] of values.entries()) {
    const at = 10 + header.length + i * wide;
    if (typeof value === "bigint") view.setBigInt64(at, value, true);
    else if (typeof value === "string")
      for (const [k, c] of [...value].entries()) view.setUint32(at + 4 * k, c.codePointAt(0)!, true);
    else if (type === "<f4") view.setFloat32(at, value, true);
    else if (type === "<i4") view.setInt32(at, value, true);
    else view.setUint8(at, value);
  }
  return file;
}
