/** The named tensors in a file or a folder that other programs wrote. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { HostArray } from "./host.ts";
import { onnxTensors } from "./onnx-tensors.ts";
import { readSafetensors } from "./safetensors.ts";

/** The index of weights that lie in several files. */
const index = "model.safetensors.index.json";

/**
 * Tensors by name: of a safetensors or ONNX file, or of a folder with one, `model.safetensors` first, or the files that its index names.
 *
 * @throws Error when there is no such file, or it is cut short or of another format.
 */
export function tensorsAt(path: string, asked: string): ReadonlyMap<string, HostArray> {
  if (!existsSync(path))
    throw new Error(`${asked}: a file or folder with weights is required, got ${path}, which is not there`);
  if (!statSync(path).isDirectory()) return read(path, asked);
  const files = readdirSync(path).sort();
  if (!files.includes("model.safetensors") && files.includes(index)) {
    const { weight_map: map } = JSON.parse(readFileSync(join(path, index), "utf8")) as {
      weight_map: Record<string, string>;
    };
    return new Map([...new Set(Object.values(map))].flatMap((file) => [...read(join(path, file), asked)]));
  }
  const found = files.filter((name) => /\.(safetensors|onnx)$/.test(name));
  const one = found.includes("model.safetensors") ? "model.safetensors" : found.length === 1 ? found[0] : undefined;
  if (one !== undefined) return read(join(path, one), asked);
  throw new Error(
    `${asked}: a folder with one safetensors or ONNX file is required, got ${path} with ${found.join(", ") || "none"}; ${
      files.some((name) => /\.(bin|pt|pth|ckpt)$/.test(name))
        ? "save the weights as safetensors: model.save_pretrained(folder), or safetensors.torch.save_file"
        : "name the file"
    }`,
  );
}

function read(file: string, asked: string): ReadonlyMap<string, HostArray> {
  if (file.endsWith(".safetensors")) return readSafetensors(file).tensors;
  if (file.endsWith(".onnx")) return onnxTensors(readFileSync(file), file);
  throw new TypeError(
    `${asked}: a file of safetensors or ONNX is required, got ${file}; save the weights as safetensors: safetensors.torch.save_file(model.state_dict(), file)`,
  );
}
