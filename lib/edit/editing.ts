/** Facts changed in a network: how a rule of editing is declared, and what it gives. */
import type { Examples, Json } from "../data/dataset.ts";
import { checked, type Options, type Widened } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import type { Weights } from "../models/network.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import {
  changesOf,
  gram,
  kernelOf,
  keysOf,
  type Matrix,
  type Site,
  type Subject,
  siteOf,
  type ValueOptions,
  withKernel,
} from "./parts/facts.ts";

export type { Matrix, Site, Subject } from "./parts/facts.ts";

/** What every function that edits can be told. */
export interface EditOptions {
  /** Facts that are to stay: their keys say where the layer must not change. */
  readonly known?: Examples;
  /** The sum of outer products of the keys of earlier edits: `past` of what an earlier edit gave. */
  readonly past?: Matrix;
}

/** What editing did. */
export interface EditReport {
  readonly rule: string;
  readonly options: Json;
  readonly layer: string;
  readonly facts: number;
  /** The share of the facts that are answered as they are to be, before and after. */
  readonly before: number;
  readonly after: number;
  /** The share of the known facts that are answered as before; null where none are given. */
  readonly kept: number | null;
  /** The length of the change of the kernel, and of the kernel after it in lengths of that before. */
  readonly change: number;
  readonly growth: number;
}

/** An edited network. */
export interface Edited {
  readonly network: TrainedNetwork;
  readonly report: EditReport;
  /** The keys of these and of earlier edits, for the next one. */
  readonly past: Matrix;
}

/** A rule with its options as plain JSON: what `editWith` takes. */
export type EditRule = { readonly edit: string; readonly options: { readonly [name: string]: Json } };

/** What a rule may ask for. Matrices are row after row; keys are `[n, inputs]`, kernels `[inputs, units]`. */
export interface Editor {
  readonly site: Site;
  /** How many facts there are. */
  readonly n: number;
  /** The kernel before. */
  readonly kernel: Matrix;
  /** The sum of outer products of the keys of known facts, and how many; of those of earlier edits. */
  readonly known: Matrix;
  readonly knownCount: number;
  readonly past: Matrix;
  /** The keys of some of the facts under a kernel; of all where none are named. */
  keys(kernel: Matrix, which?: readonly number[]): Matrix;
  /** What the layer is to give beyond what it gives, `[n, units]`. */
  changes(kernel: Matrix, how: ValueOptions, which?: readonly number[]): Matrix;
  /** The facts, and logits of them, for rules that train. */
  readonly facts: Examples;
  readonly subject: Subject;
}

/** What every rule that looks for values has as options. */
export const valueDefaults = {
  /** The layer that is edited, by its path in the model; the last one with a kernel where it is "". */
  layer: "",
  /** Steps of Adam that look for values, and their rate. */
  steps: 60,
  lr: 0.1,
  decay: 1e-3,
  clamp: 4,
};

/** A function that edits facts, or gives its rule. */
export interface EditFactory<O extends Options> {
  (network: TrainedNetwork, facts: Examples, options?: Partial<Widened<O>> & EditOptions): Edited;
  /** The rule alone, for `editWith`. */
  (options?: Partial<Widened<O>>): EditRule;
  readonly editing: string;
  readonly defaults: O;
  /** The next kernel. */
  readonly how: (editor: Editor, options: Widened<O>) => Matrix;
}

/**
 * Declares a rule of editing: its name, its options with their defaults, and what becomes of the kernel of one layer.
 *
 * @example
 * ```ts
 * import { edit } from "thalweg";
 * const nothing = edit.editing("nothing", { layer: "" }, ({ kernel }) => kernel);
 * nothing(); // { edit: "nothing", options: { layer: "" } }
 * ```
 */
export function editing<O extends Options & { readonly layer: string }>(
  name: string,
  defaults: O,
  how: (editor: Editor, options: Widened<O>) => Matrix,
): EditFactory<O> {
  type Own = Widened<O>;
  function make(network: TrainedNetwork, facts: Examples, options?: Partial<Own> & EditOptions): Edited;
  function make(options?: Partial<Own>): EditRule;
  function make(first: TrainedNetwork | Partial<Own> = {}, facts?: Examples, given: Partial<Own> & EditOptions = {}) {
    if (!("structure" in first))
      return {
        edit: name,
        options: checked(name, defaults as Options, first as Partial<Options>),
      } as unknown as EditRule;
    const { known, past, ...own } = given;
    const options = checked(name, defaults as Options, own as Partial<Options>) as unknown as Own;
    return edited(
      name,
      first as TrainedNetwork,
      facts!,
      options as Json,
      { ...(known && { known }), ...(past && { past }) },
      (editor) => how(editor, options),
    );
  }
  return Object.assign(make, { editing: name, defaults, how });
}

/** An editor for facts of a network. */
export function editorOf(
  subject: Subject,
  site: Site,
  facts: Examples,
  known: { readonly gram: Matrix; readonly count: number },
  past: Matrix,
): Editor {
  const under = <X>(kernel: Matrix, f: (weights: Weights) => X): X => {
    const tensor = tf.tensor2d(Float32Array.from(kernel), [site.inputs, site.units]);
    try {
      return f(withKernel(subject.weights, site, tensor));
    } finally {
      tensor.dispose();
    }
  };
  const some = (which?: readonly number[]): Examples => (which === undefined ? facts : chosen(facts, which));
  return {
    site,
    n: facts.length,
    kernel: Float64Array.from(kernelOf(subject.weights, site).dataSync()),
    known: known.gram,
    knownCount: known.count,
    past,
    keys: (kernel, which) => under(kernel, (weights) => keysOf(subject, weights, some(which), site).keys),
    changes: (kernel, how, which) => under(kernel, (weights) => changesOf(subject, weights, some(which), site, how)),
    facts,
    subject,
  };
}

/** The weights with a kernel of these numbers, as new tensors all. */
export function rewritten(weights: Weights, site: Site, kernel: Matrix): Weights {
  return withKernel(weights, site, tf.tensor2d(Float32Array.from(kernel), [site.inputs, site.units]));
}

function edited(
  name: string,
  network: TrainedNetwork,
  facts: Examples,
  options: Json,
  { known, past }: EditOptions,
  how: (editor: Editor) => Matrix,
): Edited {
  if (facts.length === 0) throw new RangeError(`edit.${name}: at least one fact is required, got an empty table`);
  const { layer } = options as { readonly layer: string };
  const site = siteOf(`edit.${name}`, network, layer);
  const size = site.inputs ** 2;
  const seen = known === undefined ? null : keysOf(network, network.weights, known, site);
  const held = {
    gram: seen === null ? new Float64Array(size) : gram(seen.keys, site.inputs),
    count: known?.length ?? 0,
  };
  const editor = editorOf(network, site, facts, held, past ?? new Float64Array(size));
  const kernel = how(editor);
  const weights = rewritten(network.weights, site, kernel);
  const own = network.with({ weights });
  kernelOf(weights, site).dispose();
  const right = (subject: TrainedNetwork): number => {
    const { answers } = keysOf(subject, subject.weights, facts, site);
    return answers.filter((answer, i) => answer === facts.labels[i]).length / facts.length;
  };
  const length = (values: Matrix): number => Math.hypot(...values);
  const kept =
    seen === null
      ? null
      : keysOf(own, own.weights, known!, site).answers.filter((answer, i) => answer === seen.answers[i]).length /
        known!.length;
  return {
    network: own,
    past: plusGram(past ?? new Float64Array(size), editor.keys(kernel), site.inputs),
    report: {
      rule: name,
      options,
      layer: site.path,
      facts: facts.length,
      before: right(network),
      after: right(own),
      kept,
      change: length(kernel.map((x, i) => x - editor.kernel[i]!)),
      growth: length(kernel) / length(editor.kernel),
    },
  };
}

/** A sum of outer products with those of more keys. */
export function plusGram(sum: Matrix, keys: Matrix, inputs: number): Matrix {
  const more = gram(keys, inputs);
  return sum.map((x, i) => x + more[i]!);
}

/** Some rows of a table, in their order. */
function chosen(facts: Examples, which: readonly number[]): Examples {
  return {
    ...facts,
    length: which.length,
    labels: Int32Array.from(which, (i) => facts.labels[i]!),
    read: (at: ArrayLike<number>, out: never) => facts.read(Uint32Array.from(at, (i) => which[i]!) as never, out),
  } as Examples;
}
