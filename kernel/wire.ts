/** Frames on the wire ⇄ messages. Pure: no sockets here. Nothing that is not signed with the key comes out of `decode`. */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Header, Message } from "./messages.ts";

const delimiter = "<IDS|MSG>";

export class WireError extends Error {
  override name = "WireError";
}

export interface Wire {
  encode(message: Message, topic?: string): Uint8Array[];
  /** @throws WireError when the frames are malformed, unsigned, or seen before. */
  decode(frames: readonly Uint8Array[]): Message;
}

/** Signs and checks messages with `key` (HMAC-SHA256). An empty key turns signatures off, as the protocol says. */
export function wire(key: string, scheme = "hmac-sha256"): Wire {
  if (!scheme.startsWith("hmac-")) throw new WireError(`wire: signature_scheme must be hmac-<digest>, got ${scheme}`);
  const digest = scheme.slice("hmac-".length);
  const seen = new Set<string>();

  const sign = (parts: readonly Uint8Array[]): string => {
    if (key === "") return "";
    const mac = createHmac(digest, key);
    for (const part of parts) mac.update(part);
    return mac.digest("hex");
  };

  const remember = (signature: string) => {
    seen.add(signature);
    if (seen.size > 65_536) for (const old of [...seen].slice(0, 32_768)) seen.delete(old);
  };

  return {
    encode(message, topic) {
      const parts = [message.header, message.parent_header, message.metadata, message.content].map((part) =>
        Buffer.from(JSON.stringify(part)),
      );
      const idents = topic === undefined ? message.idents : [Buffer.from(topic)];
      return [...idents, Buffer.from(delimiter), Buffer.from(sign(parts)), ...parts, ...message.buffers];
    },
    decode(frames) {
      const at = frames.findIndex((frame) => frame.length === delimiter.length && text(frame) === delimiter);
      if (at < 0) throw new WireError("decode: no <IDS|MSG> delimiter");
      if (frames.length < at + 6)
        throw new WireError(`decode: 5 frames must follow the delimiter, got ${frames.length - at - 1}`);
      const parts = frames.slice(at + 2, at + 6);
      if (key !== "") {
        const given = frames[at + 1]!;
        const expected = Buffer.from(sign(parts));
        if (given.length !== expected.length || !timingSafeEqual(given, expected))
          throw new WireError("decode: wrong signature");
        const signature = expected.toString();
        if (seen.has(signature)) throw new WireError("decode: a message with this signature came before");
        remember(signature);
      }
      const [header, parent, metadata, content] = parts.map(object);
      for (const field of ["msg_id", "msg_type", "session"]) {
        if (typeof header![field] !== "string") throw new WireError(`decode: header.${field} must be a string`);
      }
      return {
        idents: frames.slice(0, at),
        header: header as unknown as Header,
        parent_header: parent as unknown as Header,
        metadata: metadata!,
        content: content!,
        buffers: frames.slice(at + 6),
      };
    },
  };
}

const text = (frame: Uint8Array) => Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString();

function object(frame: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text(frame));
  } catch {
    throw new WireError("decode: a part is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new WireError("decode: a part is not an object");
  return value as Record<string, unknown>;
}
