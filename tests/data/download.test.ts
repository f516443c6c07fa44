/** A data set's file is there whole and right, or not at all, whatever the server does. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bar, megabytes } from "../../lib/data/parts/bar.ts";
import { type FetchOptions, fetched } from "../../lib/data/parts/fetched.ts";

const body = randomBytes(300_000);
const fileSha256 = createHash("sha256").update(body).digest("hex");

let folder: string;
let server: Server;
/** The ranges that were asked for, and what is answered. */
let asked: (string | undefined)[];
let answer: (request: IncomingMessage, response: ServerResponse, from: number) => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "thalweg-test-"));
  process.env.THALWEG_CACHE = folder;
  asked = [];
  answer = honest;
  server = createServer((request, response) => {
    asked.push(request.headers.range);
    answer(request, response, Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  delete process.env.THALWEG_CACHE;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const file = () => join(folder, "set", "a.bin");
const whole = () => existsSync(file()) && readFileSync(file()).equals(body);
const left = () => (existsSync(join(folder, "set")) ? readdirSync(join(folder, "set")) : []);
const load = (options: FetchOptions = {}) =>
  fetched(
    {
      name: "set",
      files: [{ name: "a.bin", fileSha256 }],
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    },
    options,
  );
/** What a download that was stopped after so many bytes leaves behind. */
function begun(bytes: Uint8Array): void {
  mkdirSync(join(folder, "set"), { recursive: true });
  writeFileSync(`${file()}.part`, bytes);
}

/** Gives what is asked for. */
const honest: typeof answer = (_, response, from) => {
  const range = { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` };
  response.writeHead(from > 0 ? 206 : 200, { "content-length": body.length - from, ...(from > 0 && range) });
  response.end(body.subarray(from));
};

/** Gives `count` bytes of what is asked for, and then the line is dead. */
const dying =
  (count: number): typeof answer =>
  (_, response, from) => {
    const range = { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` };
    response.writeHead(from > 0 ? 206 : 200, { "content-length": body.length - from, ...(from > 0 && range) });
    if (count === 0) {
      response.flushHeaders();
      setTimeout(() => response.destroy(), 20);
    } else response.write(body.subarray(from, from + count), () => setTimeout(() => response.destroy(), 20));
  };

describe("a file arrives whole", () => {
  test("once: the next time it is there, and nothing is asked for", async () => {
    const seen: (number | null)[][] = [];
    const first = await load({ progress: (_, bytes, total) => seen.push([bytes, total]) });
    expect(Buffer.from(first.get("a.bin")!).equals(body)).toBe(true);
    expect(seen.at(-1)).toEqual([body.length, body.length]);
    await load();
    expect(asked).toEqual([undefined]);
  });

  test("from a server that can go on in the middle: only what is missing is asked for", async () => {
    begun(body.subarray(0, 120_000));
    await load();
    expect([asked, whole(), left()]).toEqual([["bytes=120000-"], true, ["a.bin"]]);
  });

  test("from a server that cannot: it sends the whole again, and what was there is not put before it", async () => {
    begun(body.subarray(0, 120_000));
    answer = (request, response) => honest(request, response, 0);
    await load();
    expect([whole(), left()]).toEqual([true, ["a.bin"]]);
  });

  test("over a line that goes dead now and then, in one call", async () => {
    answer = dying(100_000);
    await load();
    expect(asked.length).toBeGreaterThan(2);
    expect([asked[0], whole()]).toEqual([undefined, true]);
  });

  test("where the beginning was that of another edition: once more from the start", async () => {
    begun(randomBytes(5000));
    await load();
    expect([asked, whole(), left()]).toEqual([["bytes=5000-", undefined], true, ["a.bin"]]);
  });

  test("where more was there than the file has", async () => {
    begun(Buffer.concat([body, Buffer.from("more")]));
    answer = (request, response, from) =>
      from >= body.length ? void response.writeHead(416).end() : honest(request, response, from);
    await load();
    expect([whole(), left()]).toEqual([true, ["a.bin"]]);
  });

  test("from a server that sends another range than was asked for", async () => {
    begun(body.subarray(0, 1000));
    answer = (request, response, from) => {
      if (from === 0) return honest(request, response, 0);
      response.writeHead(206, { "content-range": `bytes 0-${body.length - 1}/${body.length}` });
      response.end(body);
    };
    await load().catch(() => load()); // at the latest the next call has it
    expect(whole()).toBe(true);
  });

  test("without a length, or packed on the way; what is told of the progress says so", async () => {
    for (const packed of [false, true]) {
      rmSync(join(folder, "set"), { recursive: true, force: true });
      answer = (_, response) => {
        response.writeHead(200, packed ? { "content-encoding": "gzip" } : {});
        response.end(packed ? gzipSync(body) : body);
      };
      const seen: (number | null)[][] = [];
      await load({ progress: (_, bytes, total) => seen.push([bytes, total]) });
      expect([whole(), seen.at(-1)]).toEqual([true, [body.length, null]]);
    }
  });
});

describe("nothing is left that could be taken for the file", () => {
  test("by a server that gives up in the middle and says it was all", async () => {
    answer = (_, response) => response.writeHead(200, { "content-length": 1000 }).end(body.subarray(0, 1000));
    await expect(load()).rejects.toThrow(`a.bin with SHA-256 ${fileSha256} is required, got`);
    expect(left()).toEqual([]);
  });

  test("by a line that is dead: it is not asked for ever", async () => {
    answer = dying(0);
    await expect(load()).rejects.toThrow(/set: a.bin could not be downloaded \(.*three ways/s);
    expect([asked.length, existsSync(file())]).toEqual([1, false]);
  });

  test("by a server that does not have it", async () => {
    answer = (_, response) => response.writeHead(404).end("no such file");
    await expect(load()).rejects.toThrow("set: a.bin could not be downloaded (the server answered 404)");
    expect([asked.length, left()]).toEqual([1, []]);
  });

  test("by a gzip file whose contents are others, or that is damaged", async () => {
    const wanted = createHash("sha256").update("abc").digest("hex");
    const packed = gzipSync("xyz");
    for (const [sent, got] of [
      [packed, createHash("sha256").update("xyz").digest("hex")],
      [packed.subarray(0, 12), "a damaged gzip file"],
    ] as const) {
      answer = (_, response) => response.end(sent);
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const places = { name: "set", files: [{ name: "a.gz", sha256: wanted }], url };
      await expect(fetched(places)).rejects.toThrow(`a.gz with SHA-256 ${wanted} is required, got ${got}`);
      expect(left()).toEqual([]);
    }
  });

  test("where nothing is to be downloaded: the error says the three ways", async () => {
    await expect(load({ download: false })).rejects.toThrow("set: its files are required, found none; three ways");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("by a user who stops it; what arrived is kept and gone on with", async () => {
    const stop = new AbortController();
    answer = (_, response) => {
      response.writeHead(200, { "content-length": body.length });
      response.write(body.subarray(0, 50_000)); // and then nothing more comes
    };
    const progress = (): void => stop.abort();
    await expect(load({ signal: stop.signal, progress })).rejects.toThrow("could not be downloaded");
    expect([existsSync(file()), left()]).toEqual([false, ["a.bin.part"]]);
    answer = honest;
    await load();
    expect(asked[1]).toMatch(/^bytes=[1-9]\d*-$/);
    expect(whole()).toBe(true);
  });
});

describe("a bar", () => {
  const key = Symbol.for("Jupyter.display");
  const globals = globalThis as { [key: symbol]: unknown };

  test("is one display in a notebook, updated until it is over", () => {
    const shown: unknown[] = [];
    globals[key] = (bundle: Record<string, string>, { update }: { update: boolean }) =>
      shown.push([update, bundle["text/plain"]]);
    const drawn = bar("set", megabytes);
    drawn.at(1_000_000, 4_000_000);
    drawn.end();
    delete globals[key];
    expect(shown).toEqual([
      [false, `set ${"█".repeat(6)}${"░".repeat(18)} 1.0 MB of 4.0 MB`],
      [true, "set: loaded"],
    ]);
  });

  test("is nothing where nobody looks", () => {
    const drawn = bar("set");
    drawn.at(1, null);
    drawn.end();
  });
});
