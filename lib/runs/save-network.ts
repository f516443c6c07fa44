/** Writes a trained network to a folder. */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { networkFiles } from "../models/parts/network-files.ts";
import { packedNetwork } from "../models/parts/packed.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { writeAtomically } from "./parts/files.ts";

/**
 * Writes a network to a folder: `network.json` (model, classes, shapes, how strategies predict) and a safetensors file of its numbers,
 * which other programs read. `loadNetwork` gives the same network to the last bit. A network that was in the folder is replaced; whoever
 * is stopped in the middle leaves it as it was.
 *
 * A model with layers of your own is written too; to load it, give it to `loadNetwork`.
 *
 * @throws Error when the folder cannot be written to.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { blobs, classes, loadNetwork, mlp, saveNetwork } from "thalweg";
 * const run = await classes(blobs()).learn(mlp({ hidden: [8] })).run({ quiet: true, record: false });
 * const network = await run.network();
 * const folder = mkdtempSync("/tmp/network-");
 * saveNetwork(network, folder);
 * loadNetwork(folder).checksum === network.checksum; // true
 * ```
 */
export function saveNetwork(network: TrainedNetwork, folder: string): void {
  const files = networkFiles(packedNetwork(network));
  try {
    mkdirSync(folder, { recursive: true });
    for (const { name, bytes } of files) writeAtomically(join(folder, name), bytes);
  } catch (error) {
    throw new Error(
      `saveNetwork: a folder that can be written to is required, got ${folder}; ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  for (const name of readdirSync(folder))
    if (/^weights-[0-9a-f]{16}\.safetensors$/.test(name) && name !== files[0].name)
      rmSync(join(folder, name), { force: true });
}
