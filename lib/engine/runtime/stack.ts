/** The numbers of many calls in one block. */
import type * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../graph/graph.ts";
import type { HostArray } from "../onnx/writer.ts";
import type { Rng } from "../random.ts";
import { backend } from "./backend.ts";
import { NoiseFeed } from "./noise.ts";
import { feed } from "./plan.ts";
import { Block, takeBlock } from "./storage.ts";
import type { Trace } from "./trace.ts";

/** What one call of a compiled function is given. */
export interface Call {
  readonly tensors: readonly tf.Tensor[];
  readonly noise: readonly Rng[];
}

/** Copies numbers; the arrays are of one type. */
function copy(from: HostArray, to: HostArray, at: number): void {
  (to as Float32Array).set(from as Float32Array, at);
}

/**
 * The numbers of one argument of all calls, one after the other. The tensors keep them there: what one program gives together the next takes
 * together, and nothing is copied.
 */
export function stackOf(calls: readonly Call[], index: number, filter: boolean): Block {
  const tensors = calls.map((call) => call.tensors[index]!);
  const blocks = tensors.map((tensor) => feed(tensor, filter));
  const known = Block.wholeOf(blocks);
  if (known !== null) return known;
  const { type, size } = blocks[0]!;
  const whole = takeBlock(type, size * blocks.length);
  for (const [i, { data }] of blocks.entries()) copy(data, whole.data, i * size);
  const entries = tensors.map(({ dataId }) => backend.entry(dataId));
  // A filter that others see under another shape is only lent, and a tensor of several calls can be in one place only.
  if (new Set(entries).size < entries.length || entries.some(({ block }, i) => block !== blocks[i])) return whole;
  for (const [i, part] of whole.parts(blocks.length).entries()) backend.relocate(entries[i]!, part);
  return whole;
}

/** The inputs of all steps of all calls, `[steps, calls, …]`; to be released after the run. */
export function interleaved(calls: readonly Call[], index: number, filter: boolean): Block {
  const blocks = calls.map(({ tensors }) => feed(tensors[index]!, filter));
  const count = calls[0]!.tensors[index]!.shape[0]!;
  const size = blocks[0]!.size / count;
  const all = takeBlock(blocks[0]!.type, count * size * blocks.length);
  blocks.forEach(({ data }, call) => {
    for (let k = 0; k < count; k++)
      copy(data.subarray(k * size, (k + 1) * size), all.data, (k * calls.length + call) * size);
  });
  return all;
}

/** The noise of all calls, or of all their steps: `[…, calls, …]` for each draw; to be released after the run. */
export function noiseOf({ draws }: Trace, calls: readonly Call[], steps: number | null): Block[] {
  if (draws.length === 0) return [];
  const count = steps ?? 1;
  const blocks = draws.map(({ shape }) => takeBlock("float32", count * calls.length * sizeOf(shape)));
  const feeds = new NoiseFeed(draws);
  calls.forEach(({ noise }, call) => {
    for (let k = 0; k < count; k++)
      feeds.fill(steps === null ? noise : [noise[k]!], (i) => {
        const size = sizeOf(draws[i]!.shape);
        const at = (k * calls.length + call) * size;
        return (blocks[i]!.data as Float32Array).subarray(at, at + size);
      });
  });
  return blocks;
}

/** Whether all calls are given the same tensor. */
export const isShared = (calls: readonly Call[], index: number): boolean =>
  calls.every(({ tensors }) => tensors[index]!.dataId === calls[0]!.tensors[index]!.dataId);
