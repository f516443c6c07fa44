/** What tests of pruning and of quantising share: a layer beside NumPy's numbers, and a small network of digits. */
import { readFileSync } from "node:fs";
import { adam, classes, digits, net, type TrainedNetwork } from "thalweg";
import type { KernelLayer } from "../../lib/models/parts/kernel-layers.ts";

/** A layer, and what NumPy comes to for it by each rule. */
export interface Peer {
  readonly inputs: number;
  readonly units: number;
  readonly X: number[];
  readonly W: number[];
  readonly found: Readonly<Record<string, number[]>>;
}

/** The numbers that a program of `peers` has written, and their layer. */
export function peerAt(file: URL): { readonly peer: Peer; readonly layer: KernelLayer } {
  const peer = JSON.parse(readFileSync(file, "utf8")) as Peer;
  return { peer, layer: layerOf(peer) };
}

/** A layer that gets these rows. */
export function layerOf({ inputs, units, X, W }: Pick<Peer, "inputs" | "units" | "X" | "W">): KernelLayer {
  const kernel = Float64Array.from(W);
  return { path: "model/1-dense", inputs, units, kernel, rows: () => Float64Array.from(X) };
}

export const quiet = { quiet: true, record: false } as const;
export const stream = classes(digits()).split(2);

/** A convolution and a dense layer that have learnt the first digits. */
export async function smallNetwork(): Promise<TrainedNetwork> {
  const study = stream
    .slice(0, 1)
    .learn(net().conv(4, 3).relu().pool(2).flatten().dense(16).relu())
    .with(adam({ lr: 0.01 }))
    .train({ epochs: 2 });
  return (await study.run(quiet)).network();
}
