/** What there is for computing with CUDA, and what is missing, in sentences. */
import { hasKoffi } from "../capi/koffi.ts";
import { native } from "../runtime/native.ts";
import { type Card, type Driver, driver } from "./card.ts";
import { gpuFolder, libraryFolder, linked, missingWheels } from "./install.ts";
import { inMegabytes, leastCapability, leastDriver, type Wheel, wheels, wheelsFor } from "./wheels.ts";

/** The state of CUDA on this machine. */
export interface GpuStatus {
  /** The version of NVIDIA's driver, or null where there is none. */
  readonly driver: string | null;
  readonly cards: readonly Card[];
  /** The version of ONNX Runtime that computes. */
  readonly onnxRuntime: string | null;
  /** The packages whose libraries are there, and those whose are not. */
  readonly installed: readonly Wheel[];
  readonly missingWheels: readonly Wheel[];
  /** What is missing, each with what to do about it; nothing where CUDA should work. */
  readonly missing: readonly string[];
  /** All of it, in sentences. */
  toText(): string;
}

/** What there is and what is missing now. */
export function gpuStatus(found: Driver = driver()): GpuStatus {
  const lacking = missingWheels();
  const status = {
    driver: found.version,
    cards: found.cards,
    onnxRuntime: runtimeVersion(),
    installed: wheels.filter((wheel) => !lacking.includes(wheel)),
    missingWheels: lacking,
    missing: [...aboutMachine(), ...aboutDriver(found), ...aboutLibraries(lacking)],
  };
  return { ...status, toText: () => sentences(status) };
}

function runtimeVersion(): string | null {
  try {
    return native().version;
  } catch {
    return null;
  }
}

const isSupported = (): boolean => process.platform === "linux" && process.arch === "x64";

function aboutMachine(): string[] {
  if (isSupported()) return [];
  return [
    `CUDA is installed on Linux on x64 only, and this is ${process.platform} on ${process.arch}; use "webgpu" here`,
  ];
}

function aboutDriver({ version, cards, reason }: Driver): string[] {
  if (version === null) return [`${reason}; a driver of version ${leastDriver} or newer is required`];
  const old = Number.parseInt(version, 10) < leastDriver;
  const able = cards.some(({ capability }) => !(capability < leastCapability));
  return [
    ...(old ? [`the NVIDIA driver is ${version}, and CUDA 13 requires ${leastDriver} or newer; update it`] : []),
    ...(able
      ? []
      : [
          `a card of compute capability ${leastCapability}.0 or more is required (Ampere, 2020), got ${cards.map(({ name, capability }) => `${name} (${capability})`).join(", ")}`,
        ]),
  ];
}

function aboutLibraries(lacking: readonly Wheel[]): string[] {
  if (!isSupported()) return [];
  const version = runtimeVersion();
  // A provider that someone else has put there uses the libraries that the system knows.
  const link = version === null ? "none" : linked();
  const bytes = lacking.reduce((sum, wheel) => sum + wheel.bytes, 0);
  return [
    ...(version !== null && version !== wheelsFor
      ? [
          `the provider is of ONNX Runtime ${wheelsFor}, and onnxruntime-node is ${version}; install onnxruntime-node@${wheelsFor}`,
        ]
      : []),
    ...(lacking.length > 0 && link !== "theirs"
      ? [
          `libraries are not installed (${lacking.map(({ about }) => about).join(", ")}); \`npx thalweg gpu install\` fetches them (${inMegabytes(bytes)})`,
        ]
      : []),
    ...(lacking.length === 0 && link === "none"
      ? ["the provider is not linked beside ONNX Runtime; `npx thalweg gpu install` does it again, fetching nothing"]
      : []),
    ...(hasKoffi() ? [] : ["the package koffi, which calls C libraries, is not installed; `npm install koffi`"]),
  ];
}

const memory = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function sentences({ driver: version, cards, onnxRuntime, installed, missing }: Omit<GpuStatus, "toText">): string {
  const lines = [
    ...(version === null ? [] : [`NVIDIA's driver is ${version}.`]),
    ...cards.map(
      ({ name, memoryBytes, usedBytes, busy, capability }) =>
        `${name} (compute capability ${capability.toFixed(1)}) has ${memory(memoryBytes)} of memory, of which ${memory(usedBytes)} are in use${busy === null ? "" : `, and is busy ${Math.round(100 * busy)} % of the time`}.`,
    ),
    onnxRuntime === null ? "ONNX Runtime does not load." : `ONNX Runtime is ${onnxRuntime}.`,
    ...(installed.length === 0
      ? []
      : [
          `Installed in ${libraryFolder()}: ${installed.map((wheel) => `${wheel.package} ${wheel.version}`).join(", ")}.`,
        ]),
    ...missing.map((one) => `Missing: ${one}.`),
    missing.length === 0
      ? 'Nothing is missing: engine.use("cuda") or THALWEG_DEVICE=cuda computes there.'
      : `Until then programs run on the processor. (The folder is ${gpuFolder()}.)`,
  ];
  return lines.join("\n");
}
