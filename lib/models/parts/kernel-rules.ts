/** How a rule over a network's kernels is called: with a table of examples or without one, then with options. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Examples } from "../../data/dataset.ts";
import { checked, needWhole, type Options, type Widened } from "../../data/options.ts";
import type { tf } from "../../engine/index.ts";
import type { Filter } from "../filter.ts";
import { type KernelPlace, kernelPlaces, type Subject, sampleOf } from "./kernel-layers.ts";

/** What every rule can be told. */
export interface RuleOptions {
  /** Which kernels are changed; default all of the model, not the head's. */
  readonly filter?: Filter;
  /** Examples that a layer's inputs are measured on, at most; default 128. */
  readonly samples?: number;
}

/** A rule by what its calls are checked against; `need` throws where its own options make no sense. */
export interface KernelRule<O extends Options> {
  /** What errors begin with, `prune.wanda`. */
  readonly where: string;
  readonly defaults: O;
  readonly needsData: boolean;
  need(options: Widened<O>): void;
}

/** A call that has been checked: `x` are the examples that layers are measured on, freed when `ruled` ends. */
export interface Asked<O extends Options> {
  readonly options: Widened<O>;
  readonly data: Examples | null;
  readonly places: readonly KernelPlace[];
  readonly x: tf.Tensor | null;
}

/** Checks a call and does what was asked. */
export function ruled<O extends Options, R>(
  { where, defaults, needsData, need }: KernelRule<O>,
  network: Subject,
  second: Examples | (Partial<Widened<O>> & RuleOptions),
  third: Partial<Widened<O>> & RuleOptions,
  act: (asked: Asked<O>) => R,
): R {
  const data = "read" in second ? (second as Examples) : null;
  const { filter, samples = 128, ...own } = data === null ? (second as typeof third) : third;
  const options = checked(where, defaults as Options, own as Partial<Options>) as unknown as Widened<O>;
  need(options);
  needWhole(where, "samples", samples);
  if (needsData && (data === null || data.length === 0))
    throw new TypeError(`${where}: a table of examples is required, got none; give it second`);
  const places = kernelPlaces(where, network, filter);
  const x = data === null ? null : sampleOf(data, samples);
  try {
    return act({ options, data, places, x });
  } finally {
    x?.dispose();
  }
}

/** A model that can be had as bytes, and as a file. */
export const savable = (toOnnx: () => Uint8Array) => ({
  toOnnx,
  saveOnnx(file: string): void {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, toOnnx());
  },
});
