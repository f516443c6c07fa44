/** Models of `tf.layers` as files: what TensorFlow.js itself does in the browser and, on disk, only with tfjs-node. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { io } from "@tensorflow/tfjs-core";

/**
 * A folder that a model of `tf.layers` is saved in and loaded from: `model.json` and `weights.bin`, as `tf.loadLayersModel` reads them
 * from any web server.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { modelFiles, tf, tfLayers } from "thalweg";
 * const folder = mkdtempSync("/tmp/model-");
 * const model = tfLayers.sequential({ layers: [tfLayers.layers.dense({ units: 2, inputShape: [3], kernelInitializer: "ones" })] });
 * await model.save(modelFiles(folder));
 * const again = await tfLayers.loadLayersModel(modelFiles(folder));
 * (again.predict(tf.tensor2d([[1, 2, 3]])) as tf.Tensor).arraySync(); // [[6, 6]]
 * ```
 */
export function modelFiles(folder: string): Required<Pick<io.IOHandler, "save" | "load">> {
  return {
    async save(artifacts) {
      mkdirSync(folder, { recursive: true });
      const weights = io.CompositeArrayBuffer.join(artifacts.weightData as ArrayBuffer | ArrayBuffer[]);
      const manifest = [{ paths: ["weights.bin"], weights: artifacts.weightSpecs ?? [] }];
      const { modelTopology, format, generatedBy, convertedBy, trainingConfig, userDefinedMetadata } = artifacts;
      const about = { format, generatedBy, convertedBy, trainingConfig, userDefinedMetadata };
      writeFileSync(join(folder, "weights.bin"), new Uint8Array(weights));
      writeFileSync(join(folder, "model.json"), JSON.stringify({ modelTopology, ...about, weightsManifest: manifest }));
      return { modelArtifactsInfo: io.getModelArtifactsInfoForJSON(artifacts) };
    },
    async load() {
      const json = JSON.parse(described(folder)) as io.ModelJSON;
      return io.getModelArtifactsForJSON(json, async (manifest) => {
        const parts = manifest.flatMap(({ paths }) => paths.map((path) => buffer(join(folder, path))));
        return [manifest.flatMap(({ weights }) => weights), io.CompositeArrayBuffer.join(parts)];
      });
    },
  };
}

function described(folder: string): string {
  const file = join(folder, "model.json");
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(
      `modelFiles: a folder with a model.json is required, got ${folder}: ${(error as Error).message}; name the folder that the model was saved in`,
    );
  }
}

function buffer(file: string): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
}
