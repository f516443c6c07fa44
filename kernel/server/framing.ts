/**
 * Messages as WebSocket frames, in the two ways Jupyter's clients know: JSON (with a binary form when there are buffers), and the
 * subprotocol `v1.kernel.websocket.jupyter.org`, which is always binary.
 */
import type { Channel, Content, Header, Message } from "../messages.ts";

export const v1 = "v1.kernel.websocket.jupyter.org";

export interface Framing {
  encode(channel: Channel, message: Message): string | Uint8Array;
  /** @throws when the frame is not a message. */
  decode(frame: string | Uint8Array): { channel: string; message: Message };
}

const json: Framing = {
  encode(channel, { header, parent_header, metadata, content, buffers }) {
    const text = JSON.stringify({ channel, header, parent_header, metadata, content, buffers: [] });
    if (buffers.length === 0) return text;
    // Big-endian: how many parts, where each begins, the parts.
    const parts = [Buffer.from(text), ...buffers];
    const head = Buffer.alloc(4 * (parts.length + 1));
    head.writeUInt32BE(parts.length, 0);
    let at = head.length;
    for (const [i, part] of parts.entries()) {
      head.writeUInt32BE(at, 4 * (i + 1));
      at += part.byteLength;
    }
    return Buffer.concat([head, ...parts]);
  },
  decode(frame) {
    if (typeof frame === "string") return messageOf(JSON.parse(frame) as Content, []);
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    const count = bytes.readUInt32BE(0);
    const begins = Array.from({ length: count }, (_, i) => bytes.readUInt32BE(4 * (i + 1)));
    const parts = begins.map((begin, i) => bytes.subarray(begin, begins[i + 1] ?? bytes.length));
    return messageOf(JSON.parse(parts[0]!.toString("utf8")) as Content, parts.slice(1));
  },
};

const binary: Framing = {
  encode(channel, { header, parent_header, metadata, content, buffers }) {
    const parts: Uint8Array[] = [
      Buffer.from(channel),
      ...[header, parent_header, metadata, content].map((part) => Buffer.from(JSON.stringify(part))),
      ...buffers,
    ];
    // Little-endian, 8 bytes each: how many offsets, where each part begins, where the last one ends.
    const head = Buffer.alloc(8 * (parts.length + 2));
    head.writeBigUInt64LE(BigInt(parts.length + 1), 0);
    let at = head.length;
    for (const [i, part] of parts.entries()) {
      head.writeBigUInt64LE(BigInt(at), 8 * (i + 1));
      at += part.byteLength;
    }
    head.writeBigUInt64LE(BigInt(at), 8 * (parts.length + 1));
    return Buffer.concat([head, ...parts]);
  },
  decode(frame) {
    if (typeof frame === "string") throw new TypeError("decode: a binary frame is required, got text");
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    const count = Number(bytes.readBigUInt64LE(0));
    if (count < 6 || 8 * (count + 1) > bytes.length) throw new RangeError("decode: at least 5 parts are required");
    const offsets = Array.from({ length: count }, (_, i) => Number(bytes.readBigUInt64LE(8 * (i + 1))));
    const parts = offsets.slice(1).map((end, i) => bytes.subarray(offsets[i], end));
    const [header, parent_header, metadata, content] = parts
      .slice(1, 5)
      .map((part) => JSON.parse(part.toString("utf8")) as Content);
    return messageOf({ channel: parts[0]!.toString(), header, parent_header, metadata, content }, parts.slice(5));
  },
};

export const framing = (protocol: string): Framing => (protocol === v1 ? binary : json);

function messageOf(given: Content, buffers: Uint8Array[]): { channel: string; message: Message } {
  const header = given.header as Header | undefined;
  for (const field of ["msg_id", "msg_type", "session"] as const) {
    if (typeof header?.[field] !== "string") throw new TypeError(`decode: header.${field} must be a string`);
  }
  const object = (value: unknown): Content => (typeof value === "object" && value !== null ? (value as Content) : {});
  return {
    channel: String(given.channel),
    message: {
      idents: [],
      header: header!,
      parent_header: object(given.parent_header) as unknown as Header,
      metadata: object(given.metadata),
      content: object(given.content),
      buffers,
    },
  };
}
