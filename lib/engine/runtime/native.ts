/** Where ONNX Runtime's binding is: the package onnxruntime-node where it is installed, else the copy that the published package carries. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A folder with ONNX Runtime's binding for Node. */
export interface Native {
  readonly folder: string;
  readonly version: string;
}

/** The version that the numbers of runs are made with. */
export const nativeVersion = "1.30.0";

const require = createRequire(import.meta.url);

/** The copy of the published package; a clone has none. Seen from dist/lib/engine/runtime. */
const carried = fileURLToPath(new URL("../../../native/", import.meta.url));

/** The folder of the binding's files for this machine. */
export const binaries = ({ folder }: Native): string => join(folder, "bin", "napi-v6", process.platform, process.arch);

function at(folder: string): Native {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  return { folder, version };
}

/** The package onnxruntime-node, where whoever uses this library has installed it: it may have what the copy lacks, such as CUDA. */
function installed(): Native | undefined {
  try {
    return at(dirname(require.resolve("onnxruntime-node/package.json")));
  } catch {
    return undefined;
  }
}

let chosen: Native | undefined;

/**
 * The binding to load: the installed package of our version, else the carried copy, else an installed package of another version.
 *
 * @throws Error where there is none for this machine.
 */
export function native(): Native {
  if (chosen !== undefined) return chosen;
  const package_ = installed();
  const found = [
    ...(package_?.version === nativeVersion ? [package_] : []),
    ...(existsSync(join(carried, "package.json")) ? [at(carried)] : []),
    ...(package_ === undefined ? [] : [package_]),
  ].find((candidate) => existsSync(join(binaries(candidate), "onnxruntime_binding.node")));
  if (found === undefined)
    throw new Error(
      `no binding of ONNX Runtime for ${process.platform} ${process.arch} is found in ${existsSync(carried) ? carried : "onnxruntime-node"}`,
    );
  chosen = found;
  return found;
}
