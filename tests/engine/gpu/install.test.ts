/** What CUDA needs comes from wheels, whole and right or not at all, and goes away again. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { gpuCommand } from "../../../lib/engine/gpu/command.ts";
import { gpuStatus } from "../../../lib/engine/gpu/status.ts";
import { wheels as pinned, type Wheel } from "../../../lib/engine/gpu/wheels.ts";
import { takeOut, zipEntries } from "../../../lib/engine/gpu/zip.ts";
import { engine } from "../../../lib/engine/index.ts";
import { nativeVersion } from "../../../lib/engine/runtime/native.ts";
import { dying, fakeDriver, honest, indexServer, type Made, someWheels, zip } from "./index-server.ts";

const kept = { THALWEG_GPU: process.env.THALWEG_GPU, PATH: process.env.PATH, PIP_INDEX_URL: process.env.PIP_INDEX_URL };
let folder: string;
let made: Made[];
let wanted: readonly Wheel[];
let server: Awaited<ReturnType<typeof indexServer>>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "thalweg-gpu-"));
  process.env.THALWEG_GPU = join(folder, "gpu");
  made = someWheels();
  wanted = made.map(({ wheel }) => wheel);
  server = await indexServer(made);
  mkdirSync(join(folder, "ort"));
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
  for (const [name, value] of Object.entries(kept)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** Runs the command as a user would, with our wheels; what it said, and its exit code. */
async function command(line: string, answers: readonly boolean[] | null = null) {
  const [out, notes, questions]: [string[], string[], string[]] = [[], [], []];
  const left = [...(answers ?? [])];
  const voice = {
    out: (text: string) => void out.push(text),
    note: (text: string) => void notes.push(text),
    bar: null,
    ask:
      answers === null
        ? null
        : async (question: string) => {
            questions.push(question);
            return left.shift()!;
          },
    signal: new AbortController().signal,
  };
  const parts = { wheels: wanted, beside: join(folder, "ort") };
  const code = await gpuCommand(line.split(" "), voice, parts);
  return { code, out: out.join("\n"), notes, questions };
}

const libraries = () => join(folder, "gpu", nativeVersion, "lib");
const files = (at: string) => (existsSync(at) ? readdirSync(at).sort() : []);

describe("thalweg gpu install", () => {
  test.each(["json", "page"] as const)(
    "fetches wheels from an index that answers with a %s, and takes the libraries alone",
    async (form) => {
      const other = await indexServer(made, form);
      process.env.PIP_INDEX_URL = `${other.url}/`;
      const { code, out, notes } = await command("install --yes");
      await other.close();
      expect(code).toBe(0);
      expect(out).toMatch(/onnxruntime-gpu 1\.0: of onnxruntime-gpu, 20\d kB/);
      expect(out).toContain(
        `${Math.ceil((made[0]!.archive.length + made[1]!.archive.length) / 1e3)} kB from ${other.url}`,
      );
      expect(notes.filter((line) => line.endsWith("unpacked"))).toHaveLength(2);
      expect(notes.some((line) => /nvidia-cuda-runtime: .* \(100 %\)/.test(line))).toBe(true);
      expect(files(libraries())).toEqual([
        "libcudart.so.13",
        "libonnxruntime_providers_cuda.so",
        "libonnxruntime_providers_shared.so",
      ]);
      expect(readFileSync(join(libraries(), "libcudart.so.13")).equals(made[1]!.library)).toBe(true);
      expect(files(join(folder, "gpu", nativeVersion, "licences", "nvidia-cuda-runtime"))).toEqual(["LICENSE.txt"]);
      expect(files(join(folder, "gpu", "wheels"))).toEqual([]);
    },
  );
  test("links the provider beside ONNX Runtime, leaves what somebody else put there, and links anew what was lost", async () => {
    const [shared, cuda] = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"].map((file) =>
      join(folder, "ort", file),
    ) as [string, string];
    writeFileSync(shared, "theirs");
    await command(`install --yes --index ${server.url}`);
    expect(readFileSync(shared, "utf8")).toBe("theirs");
    expect(readFileSync(cuda).equals(made[0]!.library)).toBe(true);
    rmSync(cuda);
    const asked = server.asked.length;
    await command(`install --index ${server.url}`); // nothing to fetch, nothing to ask
    expect(lstatSync(cuda).isSymbolicLink()).toBe(true);
    expect(server.asked.length).toBe(asked);
    expect((await command("remove")).out).toMatch(/^Removed .*gpu \(40\d kB\)\.$/);
    expect([existsSync(cuda), existsSync(shared), existsSync(join(folder, "gpu"))]).toEqual([false, true, false]);
    expect((await command("remove")).out).toMatch(/^Nothing is installed/);
  });
  test("asks first, saying how much it is; no is an answer, and where nobody can be asked --yes is required", async () => {
    const no = await command(`install --index ${server.url}`, [false]);
    expect([no.code, no.questions, server.asked]).toEqual([1, ["Go on?"], []]);
    await expect(command(`install --index ${server.url}`)).rejects.toThrow(/--yes is required/);
    expect((await command(`install --index ${server.url}`, [true])).code).toBe(0);
  });
  test("goes on where a download stopped, in the same call and in the next", async () => {
    let calls = 0;
    server.state.answer = (response, body, from, request) =>
      (++calls === 1 ? dying(70_000) : honest)(response, body, from, request);
    expect((await command(`install --yes --index ${server.url}`)).code).toBe(0);
    expect(server.asked.filter((url) => / bytes=[1-9]\d*-/.test(url))).toHaveLength(1);
    await command("remove");

    server.state.answer = (response) => void response.destroy();
    await expect(command(`install --yes --index ${server.url}`)).rejects.toThrow(
      /onnxruntime_gpu-1\.0.*\(20\d kB\) could not be fetched .*the same command goes on from there/,
    );
    mkdirSync(join(folder, "gpu", "wheels"), { recursive: true });
    writeFileSync(join(folder, "gpu", "wheels", `${made[0]!.wheel.file}.part`), made[0]!.archive.subarray(0, 150_000));
    server.state.answer = honest;
    server.asked.length = 0;
    expect((await command(`install --yes --index ${server.url}`)).code).toBe(0);
    expect(server.asked).toContain(`/files/${made[0]!.wheel.file} bytes=150000-`);
  });
  test("throws away a file that is another than the pinned one, and leaves nothing half there", async () => {
    server.state.answer = (response, body, from, request) => {
      const other = Buffer.from(body);
      other[1000]! ^= 1;
      honest(response, other, from, request);
    };
    await expect(command(`install --yes --index ${server.url}`)).rejects.toThrow(
      /SHA-256 \w+ is required, got \w+; the download was thrown away/,
    );
    expect([files(libraries()), files(join(folder, "gpu", "wheels"))]).toEqual([[], []]);
  });
  test("takes wheels from a folder, fetching nothing, and refuses one that is damaged or missing", async () => {
    const from = join(folder, "brought");
    mkdirSync(from);
    writeFileSync(join(from, made[0]!.wheel.file), made[0]!.archive);
    await expect(command(`install --yes --from ${from}`)).rejects.toThrow(
      /nvidia_cuda_runtime-1\.0.* is required in .*brought/,
    );
    writeFileSync(join(from, made[1]!.wheel.file), made[1]!.archive.subarray(1));
    await expect(command(`install --yes --from ${from}`)).rejects.toThrow(/SHA-256 \w+ is required, got/);
    writeFileSync(join(from, made[1]!.wheel.file), made[1]!.archive);
    const { code, out } = await command(`install --yes --from ${from}`);
    expect([code, server.asked]).toEqual([0, []]);
    expect(out).toMatch(/^ {2}nvidia-cuda-runtime[^\n]*\n20\d kB from /); // the first was there already
    expect(files(from)).toHaveLength(2); // they are the user's
  });
  test("says what to do when the index is not there or does not have a file", async () => {
    await expect(command("install --yes --index http://127.0.0.1:9/simple")).rejects.toThrow(
      /a package index that answers is required, got none at http:\/\/127\.0\.0\.1:9\/simple \(.*--from <folder>/,
    );
    await expect(command(`install --yes --index ${server.url}/none`)).rejects.toThrow(
      /a package index is required, got 404 from/,
    );
    wanted = [{ ...made[0]!.wheel, file: "another.whl" }];
    await expect(command(`install --yes --index ${server.url}`)).rejects.toThrow(
      /another\.whl is required, and http.*\/onnxruntime-gpu\/ does not list it/,
    );
  });
  test("lists what is to be brought, and refuses words it does not know", async () => {
    expect((await command("install --list")).out.split("\n")[0]).toBe(
      `${made[0]!.wheel.file}  ${Math.ceil(made[0]!.archive.length / 1e3)} kB  sha256:${made[0]!.wheel.sha256}`,
    );
    await expect(command("instal")).rejects.toThrow(/^thalweg gpu install/);
    await expect(command("install --from a --index b")).rejects.toMatchObject({ name: "UsageError" });
  });
});

describe("the wheels that are pinned", () => {
  test("belong to the ONNX Runtime that computes, and say what their own name says", () => {
    expect(pinned[0]!.version).toBe(nativeVersion);
    for (const { package: name, version, file, sha256, bytes } of pinned) {
      expect(file.startsWith(`${name.replaceAll("-", "_")}-${version}-`)).toBe(true);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(bytes).toBeGreaterThan(1e6);
    }
    expect(new Set(pinned.map(({ sha256 }) => sha256)).size).toBe(pinned.length);
  });
});

describe("a zip archive", () => {
  test("gives stored and deflated files, empty ones too, and says what is damaged", async () => {
    const path = join(folder, "a.zip");
    const large = Buffer.alloc(3_000_000, "thalweg");
    const bytes = zip({ "a/large": large, "a/empty": Buffer.alloc(0), "a/stored": Buffer.from("as it is") }, [
      "a/stored",
    ]);
    writeFileSync(path, bytes);
    const entries = await zipEntries(path);
    expect(entries.map(({ name, bytes }) => [name, bytes])).toEqual([
      ["a/large", 3_000_000],
      ["a/empty", 0],
      ["a/stored", 8],
    ]);
    for (const entry of entries) await takeOut(path, entry, join(folder, entry.name.slice(2)));
    expect(readFileSync(join(folder, "large")).equals(large)).toBe(true);
    expect(readFileSync(join(folder, "stored"), "utf8")).toBe("as it is");
    expect(readFileSync(join(folder, "empty"))).toHaveLength(0);

    await expect(takeOut(path, { ...entries[0]!, method: 12 }, join(folder, "x"))).rejects.toThrow(
      /packed in a way that is not known \(12\)/,
    );
    await expect(takeOut(path, { ...entries[0]!, packed: 40 }, join(folder, "x"))).rejects.toThrow(
      /a\/large is damaged/,
    );
    await expect(takeOut(path, { ...entries[0]!, bytes: 4 }, join(folder, "x"))).rejects.toThrow(
      /damaged \(3000000 of 4 bytes\)/,
    );
    await expect(takeOut(path, { ...entries[0]!, at: 5 }, join(folder, "x"))).rejects.toThrow(
      /the header of a\/large is damaged/,
    );
    writeFileSync(path, bytes.subarray(0, bytes.length - 30));
    await expect(zipEntries(path)).rejects.toThrow(/a whole zip archive is required/);
  });
});

describe("thalweg gpu status", () => {
  const h200 = "580.65.06, NVIDIA H200, 143771, 1000, 37, 9.0";
  const status = (text: string, code = 0) => {
    process.env.PATH = `${fakeDriver(folder, text, code)}:${kept.PATH}`;
    return gpuStatus();
  };
  test("tells the driver and the card as the driver tells them", async () => {
    const found = status(h200);
    expect([found.driver, found.cards]).toEqual([
      "580.65.06",
      [{ name: "NVIDIA H200", memoryBytes: 143771 * 2 ** 20, usedBytes: 1000 * 2 ** 20, busy: 0.37, capability: 9 }],
    ]);
    expect(found.toText()).toMatch(
      /NVIDIA H200 \(compute capability 9\.0\) has 140\.4 GiB of memory, of which 1\.0 GiB are in use, and is busy 37 %/,
    );
    expect((await engine.gpu()).driver).toBe("580.65.06");
  });
  test("says what is missing: libraries, a newer driver, a newer card, an answer", () => {
    expect(status(h200).missing).toEqual([
      expect.stringMatching(
        /^libraries are not installed \(ONNX Runtime's CUDA provider, .*; `npx thalweg gpu install` fetches them \(1\.14 GB\)$/,
      ),
    ]);
    expect(status("470.82, Tesla T4, 15360, 0, [N/A], 7.5").missing.slice(0, 2)).toEqual([
      "the NVIDIA driver is 470.82, and CUDA 13 requires 580 or newer; update it",
      "a card of compute capability 8.0 or more is required (Ampere, 2020), got Tesla T4 (7.5)",
    ]);
    expect(gpuStatus().cards[0]!.busy).toBeNull();
    expect(status("Failed to initialize NVML: Driver/library version mismatch", 18).missing[0]).toBe(
      "the NVIDIA driver does not answer (nvidia-smi: Failed to initialize NVML: Driver/library version mismatch); a driver of version 580 or newer is required",
    );
    process.env.PATH = folder;
    expect(gpuStatus().missing[0]).toMatch(/^no NVIDIA driver is found; a driver of version 580 or newer is required$/);
  });
  test("its exit code says whether anything is missing, and engine.devices gives the same advice", async () => {
    process.env.PATH = `${fakeDriver(folder, h200)}:${kept.PATH}`;
    const { code, out } = await command("status");
    expect(code).toBe(1);
    expect(out).toContain("Missing: libraries are not installed");
    expect(JSON.parse((await command("status --json")).out)).toMatchObject({ driver: "580.65.06" });
    const cuda = engine.devices().find(({ name }) => name === "cuda")!;
    expect(cuda.reason).toBe(`${gpuStatus().missing[0]}; \`npx thalweg gpu status\` tells the rest`);
  });
});
