/** A package index on loopback with wheels of a few bytes, and a program in the place of nvidia-smi. */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import type { Wheel } from "../../../lib/engine/gpu/wheels.ts";

/** A zip archive of some files, the ones named in `stored` as they are, the others deflated. */
export function zip(files: Readonly<Record<string, Uint8Array>>, stored: readonly string[] = []): Buffer {
  const parts: Buffer[] = [];
  const table: Buffer[] = [];
  let at = 0;
  for (const [name, bytes] of Object.entries(files)) {
    const method = stored.includes(name) ? 0 : 8;
    const packed = method === 0 ? Buffer.from(bytes) : deflateRawSync(bytes);
    const [label, common] = [Buffer.from(name), Buffer.alloc(26)];
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(label.length, 22);
    const extra = Buffer.alloc(20, 7); // only the header has it: the two differ in length, as in wheels
    const local = Buffer.from(common);
    local.writeUInt16LE(extra.length, 24);
    const header = Buffer.concat([Buffer.from("PK\x03\x04"), local, label, extra, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    table.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), common, rest, label]));
    parts.push(header);
    at += header.length;
  }
  const entries = Buffer.concat(table);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(table.length, 4);
  end.writeUInt16LE(table.length, 6);
  end.writeUInt32LE(entries.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, entries, Buffer.from("PK\x05\x06"), end]);
}

/** Contents of a library: bytes that do not pack well, so that a download can be cut in the middle. */
export const contents = (bytes: number): Buffer => randomBytes(bytes);

export interface Made {
  readonly wheel: Wheel;
  readonly archive: Buffer;
  readonly library: Buffer;
}

/** Two wheels: ONNX Runtime's, with more than is taken, and one of libraries. */
export function someWheels(): Made[] {
  const make = (package_: string, library: string, folder: string, more: Record<string, Uint8Array>): Made => {
    const bytes = contents(200_000);
    const file = `${package_.replaceAll("-", "_")}-1.0-py3-none-any.whl`;
    const text = Buffer.from("terms");
    const inside = `${package_.replaceAll("-", "_")}-1.0.dist-info`;
    const archive = zip({ [`${folder}/${library}`]: bytes, [`${inside}/licenses/LICENSE.txt`]: text, ...more }, [
      `${folder}/${library}`,
    ]);
    const sha256 = createHash("sha256").update(archive).digest("hex");
    const wheel = {
      package: package_,
      version: "1.0",
      file,
      bytes: archive.length,
      sha256,
      about: `of ${package_}`,
      library,
    };
    return { wheel, archive, library: bytes };
  };
  return [
    make("onnxruntime-gpu", "libonnxruntime_providers_cuda.so", "onnxruntime/capi", {
      "onnxruntime/capi/libonnxruntime_providers_shared.so": Buffer.from("shared"),
      "onnxruntime/capi/libonnxruntime_providers_tensorrt.so": Buffer.from("not taken"),
      "onnxruntime/__init__.py": Buffer.from("import numpy"),
    }),
    make("nvidia-cuda-runtime", "libcudart.so.13", "nvidia/cu13/lib", {
      "nvidia/cu13/include/cuda.h": Buffer.from("// not taken"),
    }),
  ];
}

/** How the server answers for a file; `from` is where it was asked to begin. */
export type Answer = (response: ServerResponse, body: Buffer, from: number, request: IncomingMessage) => void;

/** Gives what is asked for. */
export const honest: Answer = (response, body, from) => {
  const range = { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` };
  response.writeHead(from > 0 ? 206 : 200, { "content-length": body.length - from, ...(from > 0 && range) });
  response.end(body.subarray(from));
};

/** Gives some bytes and hangs up. */
export const dying =
  (bytes: number): Answer =>
  (response, body, from) => {
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(from, from + bytes), () => response.destroy());
  };

/** An index with these wheels. */
export async function indexServer(made: readonly Made[], form: "json" | "page" = "json") {
  const asked: string[] = [];
  const state = { answer: honest };
  const server = createServer((request, response) => {
    const { url = "", headers } = request;
    asked.push(`${url}${headers.range ? ` ${headers.range}` : ""}`);
    const listed = made.filter(({ wheel }) => url === `/simple/${wheel.package}/`);
    const found = made.find(({ wheel }) => url === `/files/${wheel.file}`);
    if (found) {
      const from = Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
      return state.answer(response, found.archive, from, request);
    }
    if (listed.length === 0) return void response.writeHead(404).end();
    // Addresses are relative to the page, as some indexes give them.
    const files = listed.map(({ wheel }) => ({ filename: wheel.file, url: `../../files/${wheel.file}` }));
    const page = files
      .map(({ filename, url }) => `<a href="${url}#sha256=0" data-x="y">${filename}</a><br/>`)
      .join("\n");
    response.writeHead(200, {
      "content-type": form === "json" ? "application/vnd.pypi.simple.v1+json" : "text/html; charset=utf-8",
    });
    response.end(form === "json" ? JSON.stringify({ files }) : `<html><body>${page}</body></html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`,
    asked,
    state,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Puts a program in the place of nvidia-smi that prints a text and exits with a code; gives the path to look in first. */
export function fakeDriver(folder: string, text: string, code = 0): string {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "nvidia-smi"), `#!/bin/sh\ncat <<'END'\n${text}\nEND\nexit ${code}\n`);
  chmodSync(join(bin, "nvidia-smi"), 0o755);
  return bin;
}
