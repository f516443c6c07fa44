/** What is told to CUDA, as far as it can be seen without a GPU: settings, graphs and their addresses, memory, errors. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { wayOf } from "../../../lib/engine/capi/bound.ts";
import { cudaStore, openLibraries } from "../../../lib/engine/capi/cuda.ts";
import { type BoundDevice, DeviceLost, kindOf } from "../../../lib/engine/capi/device.ts";
import { hasKoffi } from "../../../lib/engine/capi/koffi.ts";
import { DeviceMemory, type Store } from "../../../lib/engine/capi/memory.ts";
import { cSession, isGraphable } from "../../../lib/engine/capi/session.ts";
import { libraryFolder } from "../../../lib/engine/gpu/install.ts";
import type { GraphSpec } from "../../../lib/engine/onnx/writer.ts";

/** Memory that is only counted. */
function countedStore(room = Number.POSITIVE_INFINITY): Store & { readonly live: Map<bigint, number> } {
  const live = new Map<bigint, number>();
  let next = 4096n;
  return {
    name: "Cuda",
    card: 1,
    live,
    take(bytes) {
      const used = [...live.values()].reduce((sum, one) => sum + one, 0);
      if (used + bytes > room) return null;
      live.set((next += 256n), bytes);
      return next;
    },
    give: (at) => void live.delete(at),
    write() {},
    read() {},
  };
}

const value = (name: string, shape: (number | string)[] = [2]) => ({ name, type: "float32" as const, shape });
const double: GraphSpec = {
  name: "double",
  nodes: [{ op: "Add", name: "add", inputs: ["a", "a"], outputs: ["b"] }],
  inputs: [value("a")],
  outputs: [value("b")],
  initializers: [],
};

/** A card whose ONNX Runtime writes down what it is told, and does nothing. */
function card(options: Partial<BoundDevice["options"]> = {}, refuses: (told: string) => boolean = () => false) {
  const told: string[] = [];
  let made = 0n;
  const note = (name: string, args: readonly unknown[]) => {
    const line = `${name} ${args.map((arg) => (arg instanceof Uint8Array ? "model" : String(arg))).join(" ")}`;
    if (refuses(`${line} ${told.findLast((one) => one.startsWith("UpdateCUDA")) ?? ""}`))
      throw new Error("cannot be captured");
    told.push(line);
  };
  const device: BoundDevice = {
    provider: "cuda",
    api: {
      env: 1n,
      call: (name, ...args) => note(name, args),
      make: (name, ...args) => {
        note(name, args);
        return ++made;
      },
      free: (name) => note(name, []),
      addressOf: () => 3n,
    },
    memory: new DeviceMemory(countedStore()),
    options: { tf32: false, graphs: false, card: 1, optimise: "none", ...options },
    captured: { graphs: 0, refused: 0 },
    lost() {},
  };
  return { device, told };
}

const at = (address: bigint) => ({ at: address, bytes: 8, shape: [2] });

describe("a program for CUDA", () => {
  it("is exact, deterministic and on the card that was asked for, unless options say otherwise", () => {
    const exact = card();
    cSession(double, 1, exact.device);
    const settings = exact.told.find((line) => line.startsWith("UpdateCUDAProviderOptions"))!;
    expect(settings).toContain(
      "device_id,use_tf32,enable_cuda_graph,cudnn_conv_algo_search,arena_extend_strategy 1,0,0,HEURISTIC,kSameAsRequested 5",
    );
    expect(exact.told).toContain("SetSessionGraphOptimizationLevel 1 0");
    expect(exact.told.some((line) => /^SetDeterministicCompute \d+ true$/.test(line))).toBe(true);
    expect(exact.told.findIndex((line) => line.startsWith("SessionOptionsAppend"))).toBeLessThan(
      exact.told.findIndex((line) => line.startsWith("CreateSessionFromArray")),
    );
    const quick = card({ tf32: true, card: 0, optimise: "all" });
    cSession(double, 1, { ...quick.device, memory: new DeviceMemory(countedStore(), 1 << 30) });
    expect(quick.told.find((line) => line.startsWith("UpdateCUDA"))).toContain(
      " 0,1,0,HEURISTIC,kSameAsRequested,1073741824 6",
    );
    expect(quick.told).toContain("SetSessionGraphOptimizationLevel 1 99");
    expect(wayOf(exact.device)).toBe(
      "tensors stay on the device, steps in loops of one program, exact 32-bit arithmetic",
    );
    expect(wayOf(card({ tf32: true, graphs: true }).device)).toBe(
      "tensors stay on the device, steps as CUDA graphs, TF32",
    );
  });

  it("is a CUDA graph for each set of addresses, of which a few are kept, and an ordinary run beyond them", () => {
    const { device, told } = card({ graphs: true });
    const session = cSession(double, 1, device);
    expect(told.find((line) => line.startsWith("UpdateCUDA"))).toContain(" 1,0,1,HEURISTIC");
    const graphs = () =>
      told.filter((line) => line.startsWith("AddRunConfigEntry")).map((line) => line.split(" ").slice(2).join("="));
    for (let i = 0; i < 3; i++) {
      session.run([at(10n)], [at(20n)]);
      session.run([at(20n)], [at(10n)]);
    }
    expect(graphs()).toEqual(["gpu_graph_id=1", "gpu_graph_id=2"]);
    expect(told.filter((line) => line.startsWith("Run "))).toHaveLength(6);
    for (let i = 0n; i < 8n; i++) session.run([at(100n + i)], [at(20n)]);
    expect(graphs().slice(-3)).toEqual(["gpu_graph_id=8", "gpu_graph_id=-1", "gpu_graph_id=-1"]);
    expect(told.filter((line) => line.startsWith("ReleaseRunOptions"))).toHaveLength(2); // those used longest ago
    session.dispose();
    expect(told.filter((line) => line.startsWith("ReleaseRunOptions"))).toHaveLength(10);
    expect(told.filter((line) => line.startsWith("ReleaseValue"))).toHaveLength(20);
    expect(device.captured).toEqual({ graphs: 1, refused: 0 });
  });

  it("runs without a graph where ONNX Runtime refuses one, and where it has a loop or an open shape", () => {
    const refused = card({ graphs: true }, (line) => /^CreateSessionFromArray .* 1,0,1,/.test(line));
    cSession(double, 1, refused.device).run([at(1n)], [at(2n)]);
    expect(refused.device.captured).toEqual({ graphs: 0, refused: 1 });
    expect(
      refused.told.filter((line) => line.startsWith("UpdateCUDA")).map((line) => / 1,0,(\d),/.exec(line)![1]),
    ).toEqual(["1", "0"]);
    expect(refused.told.some((line) => line.startsWith("AddRunConfigEntry"))).toBe(false);
    expect(isGraphable(double)).toBe(true);
    expect(isGraphable({ ...double, inputs: [value("a", ["K", 2])] })).toBe(false);
    expect(isGraphable({ ...double, nodes: [{ ...double.nodes[0]!, op: "Loop" }] })).toBe(false);
  });
});

describe("memory of a device", () => {
  it("comes to the same addresses again, result by result, however long others are kept", () => {
    const memory = new DeviceMemory(countedStore());
    const [state, loss]: [[], []] = [[], []];
    const seen: bigint[] = [];
    const losses = [];
    let current = memory.take(state, 100);
    for (let i = 0; i < 6; i++) {
      const next = memory.take(state, 100);
      losses.push(memory.take(loss, 100)); // kept by the user, of the size of the state
      memory.give(current);
      current = next;
      seen.push(next.at);
    }
    expect(seen).toEqual([seen[0], seen[1], seen[0], seen[1], seen[0], seen[1]]);
    expect(new Set(losses.map((place) => place.at)).size).toBe(6);
    expect(memory.taken).toBe(800);
  });
  it("is freed when it is full, asked for once more, and then said to be missing", () => {
    const store = countedStore(1000);
    const memory = new DeviceMemory(store);
    const ring: [] = [];
    memory.give(memory.take(ring, 800));
    expect([memory.taken, store.live.size]).toEqual([800, 1]); // kept for the next time
    const other = memory.take([], 900);
    expect([memory.taken, store.live.size]).toEqual([900, 1]);
    expect(() => memory.take([], 200)).toThrow(
      /1 MiB of memory on the device are required, got none: this process holds 1 MiB; use smaller/,
    );
    memory.give(other);
    memory.trim();
    expect([memory.taken, store.live.size]).toEqual([0, 0]);
  });
});

describe("the store of a card", () => {
  function runtime(codes: Readonly<Record<string, number>> = {}) {
    const told: string[] = [];
    const answer = (name: string) => {
      told.push(name);
      return codes[name] ?? 0;
    };
    return {
      told,
      cudaSetDevice: () => answer("cudaSetDevice"),
      cudaMalloc: (out: [bigint | null]) => {
        out[0] = 7n;
        return answer("cudaMalloc");
      },
      cudaFree: () => answer("cudaFree"),
      cudaMemcpy: (_: unknown, __: unknown, ___: number, kind: number) => answer(`cudaMemcpy ${kind}`),
      cudaStreamSynchronize: () => answer("cudaStreamSynchronize"),
      cudaGetErrorString: (code: number) => `error ${code}`,
    };
  }
  it("waits for what is copied to the card, since ONNX Runtime's stream does not", () => {
    const cuda = runtime();
    const store = cudaStore(0, cuda);
    expect(store.take(10)).toBe(7n);
    store.write(7n, new Uint8Array(2));
    store.read(7n, new Uint8Array(2));
    expect(cuda.told).toEqual(["cudaSetDevice", "cudaMalloc", "cudaMemcpy 1", "cudaStreamSynchronize", "cudaMemcpy 2"]);
  });
  it("tells no room from a device that is lost, and both from other errors", () => {
    expect(cudaStore(0, runtime({ cudaMalloc: 2 })).take(10)).toBeNull();
    expect(() => cudaStore(0, runtime({ "cudaMemcpy 2": 719 })).read(7n, new Uint8Array(1))).toThrow(DeviceLost);
    expect(() => cudaStore(0, runtime({ cudaSetDevice: 35 }))).toThrow("CUDA error 35 in cudaSetDevice: error 35");
    expect(
      ["CUDA failure 2: out of memory ; GPU=0", "CUDA failure 700: an illegal memory access", "CUDA failure 7000"].map(
        kindOf,
      ),
    ).toEqual(["memory", "lost", "other"]);
    expect(kindOf("CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED")).toBe("other");
  });
});

describe.skipIf(!hasKoffi() || process.platform !== "linux")("libraries", () => {
  it("are opened in the order in which they need one another", () => {
    const folder = mkdtempSync(join(tmpdir(), "thalweg-libraries-"));
    try {
      mkdirSync(join(folder, "lib"));
      const some = ["/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib/libm.so.6", "/lib64/libm.so.6"].find((path) =>
        existsSync(path),
      )!;
      for (const name of ["libcudnn.so.9", "libcublas.so.13", "libcublasLt.so.13", "libcudart.so.13", "libother.so.1"])
        symlinkSync(some, join(folder, "lib", name));
      expect(openLibraries(join(folder, "lib")).map((path) => path.slice(path.lastIndexOf("/") + 1))).toEqual([
        "libcudart.so.13",
        "libcublasLt.so.13",
        "libcublas.so.13",
        "libcudnn.so.9",
      ]);
      expect(openLibraries(join(folder, "none"))).toEqual([]);
      expect(libraryFolder().endsWith("/lib")).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
