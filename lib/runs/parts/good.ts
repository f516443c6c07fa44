/** The last checkpoint of a run that holds nothing but finite numbers. */
import { relative } from "node:path";
import { decode, disposeTree, leaves, type Tree, tf } from "../../engine/index.ts";
import { checkpoints, readCheckpoint } from "../record.ts";

/** Names the newest checkpoint whose numbers are all finite, as part of a sentence. */
export function goodCheckpoint(folder: string): string {
  for (const { file, step } of checkpoints(folder)) {
    const found = readCheckpoint(file, step);
    if (found !== undefined && allFinite(found.state))
      return `the last good one of its checkpoints is that of step ${step} (${relative(folder, file)})`;
  }
  return "it has no good checkpoint yet";
}

function allFinite(state: Uint8Array): boolean {
  const saved = decode(state) as Tree<unknown>;
  try {
    return leaves<unknown>(saved).every(
      (leaf) =>
        !(leaf instanceof tf.Tensor) ||
        leaf.dtype !== "float32" ||
        (leaf.dataSync() as Float32Array).every((x) => Number.isFinite(x)),
    );
  } finally {
    disposeTree(saved);
  }
}
