import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createConnection, readConnection } from "../../kernel/connection.ts";
import { frame, unframer } from "../../kernel/frames.ts";
import { messageFactory } from "../../kernel/messages.ts";
import { wire } from "../../kernel/wire.ts";
import { temporaryFolder } from "./support/kernel.ts";

describe("messages on the wire", () => {
  const { childOf } = messageFactory("s");
  const message = () => ({
    ...childOf(undefined, "execute_request", { code: "1 + 1 // ü😀" }),
    idents: [Buffer.from("client")],
    buffers: [Buffer.from([0, 255])],
  });

  it("come back as they were sent, with identities and buffers", () => {
    const sent = message();
    const got = wire("key").decode(wire("key").encode(sent));
    expect({ ...got, idents: got.idents.map(String), buffers: got.buffers.map((b) => [...b]) }).toEqual({
      ...sent,
      idents: ["client"],
      buffers: [[0, 255]],
    });
  });

  it("carry the signature that the protocol's own formula gives (HMAC-SHA256 of the four parts)", () => {
    const fixed = {
      ...message(),
      idents: [],
      buffers: [],
      header: { msg_id: "1", session: "s", username: "u", date: "d", msg_type: "t", version: "5.4" },
      content: {},
    };
    // printf '%s' '<header>{}{}{}' | openssl dgst -sha256 -hmac key
    expect(String(wire("key").encode(fixed)[1])).toBe(
      "9d4ba89c163471261adf9d2221bca30983ba128d9023f9c803af5f15a2144294",
    );
  });

  it("are refused when any byte of the signed parts, or of the signature, is another one", () => {
    const { encode, decode } = wire("key");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (part, at, flip) => {
        const frames = encode(message()).slice(0);
        const bytes = Buffer.from(frames[1 + part]!);
        bytes[at % bytes.length]! ^= flip;
        frames[1 + part] = bytes;
        expect(() => decode(frames)).toThrow(/signature/);
      }),
      { numRuns: 200 },
    );
    expect(() => wire("other").decode(encode(message()))).toThrow(/wrong signature/);
    const unsigned = encode(message());
    unsigned[2] = Buffer.alloc(0);
    expect(() => decode(unsigned)).toThrow(/wrong signature/);
  });

  it("are accepted once: a replayed message does not run again", () => {
    const { encode, decode } = wire("key");
    const frames = encode(message());
    decode(frames);
    expect(() => decode(frames)).toThrow(/came before/);
  });

  it("never crash the decoder, whatever the frames hold", () => {
    const { decode } = wire("");
    const piece = fc.oneof(
      fc.uint8Array(),
      fc.constant(Buffer.from("<IDS|MSG>")),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (frames) => {
        try {
          decode(frames);
        } catch (error) {
          expect((error as Error).name).toBe("WireError");
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("frames between the kernel and its child", () => {
  it("are found again however the stream is cut", () => {
    const values = fc.array(fc.oneof(fc.string(), fc.record({ text: fc.string({ unit: "grapheme" }) })), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(values, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(frame));
        const next = unframer();
        const got: unknown[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!;
          got.push(...next(stream.subarray(at, at + size)));
          at += size;
        }
        expect(got).toEqual(sent);
      }),
    );
  });
});

describe("the connection file", () => {
  const write = (content: object, mode = 0o600) => {
    const path = join(temporaryFolder(), "connection.json");
    writeFileSync(path, JSON.stringify(content));
    chmodSync(path, mode);
    return path;
  };
  const good = { ip: "127.0.0.1", key: "k", shell_port: 1, iopub_port: 2, stdin_port: 3, control_port: 4, hb_port: 5 };

  it("must name loopback, five ports and a key", () => {
    expect(readConnection(write(good))).toMatchObject({ transport: "tcp", signature_scheme: "hmac-sha256" });
    expect(() => readConnection(write({ ...good, ip: "0.0.0.0" }))).toThrow(
      "ip must be a loopback address, got 0.0.0.0",
    );
    expect(() => readConnection(write({ ...good, ip: "192.168.1.5" }))).toThrow(/loopback/);
    expect(() => readConnection(write({ ...good, key: "" }))).toThrow(/key must not be empty/);
    expect(() => readConnection(write({ ...good, hb_port: "x" }))).toThrow("hb_port must be a port number, got x");
  });

  it("is readable by its owner only, whoever wrote it", async () => {
    const open = write(good, 0o644);
    readConnection(open);
    expect(statSync(open).mode & 0o777).toBe(0o600);
    const made = join(temporaryFolder(), "made.json");
    await createConnection(made);
    expect(statSync(made).mode & 0o777).toBe(0o600);
  });
});
