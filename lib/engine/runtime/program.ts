/** Compiled programs: a session with its inputs and outputs in order, results in memory that is used again. */
import { bound } from "../capi/device.ts";
import { boundProgram } from "../capi/program.ts";
import { type Node, sizeOf, type Value } from "../graph/graph.ts";
import { bodyOf } from "../graph/lower.ts";
import { target } from "../graph/target.ts";
import type { ElementType, GraphSpec } from "../onnx/writer.ts";
import { counted, given } from "./gpu-buffer.ts";
import { writeNote } from "./note.ts";
import { createSession, type Named, type OrtTensor, type Session } from "./session.ts";
import { Block, takeBlock } from "./storage.ts";

export interface OutputSpec {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** A program: blocks in, blocks out. */
export interface Program {
  run(inputs: readonly Block[], inputShapes: readonly (readonly number[])[], outputs: readonly OutputSpec[]): Block[];
  dispose(): void;
  /** Whether it holds threads of its own as long as it lives. */
  readonly isThreaded: boolean;
}

/** Results of at least this many numbers stay on the device; smaller ones, such as losses, come back at once. */
const residentSize = 256;

/** Compiles a graph. With `stays` all results stay on a device, however small: the next call wants them there. */
export function compile(spec: GraphSpec, work: number, stays = false): Program {
  // A function may only hand its arguments on; ONNX Runtime takes no program without results.
  if (spec.outputs.length === 0) return { run: () => [], dispose() {}, isThreaded: false };
  writeNote();
  // Below a few million multiplications, waking a second thread costs more than it computes.
  const threads = work < 2e6 ? 1 : target.threads;
  if (bound.device !== null) return boundProgram(spec, threads, bound.device);
  const provider = target.computing ?? target.provider;
  const onHost = provider === "cpu";
  const resident = onHost ? [] : spec.outputs.filter(({ shape }) => stays || sizeOf(shape as number[]) >= residentSize);
  const session: Session = createSession(spec, {
    provider,
    threads,
    resident: resident.map(({ name }) => name),
  });
  const inputNames = spec.inputs.map((input) => input.name);
  const outputNames = spec.outputs.map((output) => output.name);
  return {
    run(inputs, inputShapes, outputs) {
      const feeds: Named = {};
      const fetches: Record<string, OrtTensor | null> = {};
      for (let i = 0; i < inputNames.length; i++) {
        const shape = inputShapes[i]!;
        feeds[inputNames[i]!] = onHost ? inputs[i]!.tensor(shape) : given(inputs[i]!.gpuTensor(shape));
      }
      const blocks: Block[] = new Array(outputNames.length);
      for (let i = 0; i < outputNames.length; i++) {
        const { type, shape } = outputs[i]!;
        if (onHost) {
          const block = takeBlock(type, sizeOf(shape));
          blocks[i] = block;
          fetches[outputNames[i]!] = block.tensor(shape);
        } else fetches[outputNames[i]!] = null;
      }
      const results = session.run(feeds, fetches);
      if (!onHost) for (let i = 0; i < blocks.length; i++) blocks[i] = Block.of(counted(results[outputNames[i]!]!));
      return blocks;
    },
    dispose: () => session.dispose(),
    isThreaded: threads > 1,
  };
}

/** A program that is compiled when it is first needed. */
export function later(make: () => Program): { readonly made: Program; dispose(): void } {
  let program: Program | undefined;
  return {
    get made() {
      return (program ??= make());
    },
    dispose() {
      program?.dispose();
      program = undefined;
    },
  };
}

/** A program with what is known of it. */
interface Made {
  readonly program: Program;
}

/** The programs used last under their names; the others are freed. */
export class RecentPrograms<T extends Made> {
  readonly #made = new Map<string, T>();
  readonly #limit: number;
  constructor(limit: number) {
    this.#limit = limit;
  }
  get(name: string, make: () => T): T {
    const found = this.#made.get(name) ?? make();
    this.#made.delete(name);
    this.#made.set(name, found);
    if (this.#made.size > this.#limit) {
      const [oldest, { program }] = this.#made.entries().next().value!;
      this.#made.delete(oldest);
      program.dispose();
    }
    return found;
  }
  dispose(): void {
    for (const { program } of this.#made.values()) program.dispose();
    this.#made.clear();
  }
}

/** About how many multiplications a list of nodes does. */
export function workOf(nodes: readonly Node[]): number {
  let work = 0;
  for (const node of nodes) {
    const { op, inputs, outputs } = node;
    const body = bodyOf(node);
    const out = sizeOf(outputs[0]!.shape);
    const a = inputs[0]?.shape ?? [];
    const b = inputs[1]?.shape ?? [];
    if (body) work += body.length * workOf(body.nodes);
    else if (op === "MatMul") work += out * (a.at(-1) ?? 1);
    else if (op === "Gemm" || op === "FusedGemm") work += Math.sqrt(out * sizeOf(a) * sizeOf(b));
    else if (op === "Conv" || op === "FusedConv") work += out * sizeOf(b.slice(1));
    else if (op === "ConvTranspose") work += sizeOf(a) * sizeOf(b.slice(1));
    else work += out;
  }
  return work;
}

/** A text that two graphs share exactly when one program computes both. */
export function structure(nodes: readonly Node[], leaves: readonly Value[], outputs: readonly Value[]): string {
  const number = new Map<Value, number>();
  const parts: string[] = [];
  for (const leaf of leaves) {
    number.set(leaf, number.size);
    const data = leaf.leaf!.kind === "constant" ? `=${leaf.leaf!.data}` : "";
    parts.push(`${leaf.type}[${leaf.shape}]${data}`);
  }
  for (const node of nodes) {
    for (const output of node.outputs) number.set(output, number.size);
    let part = node.op;
    for (const input of node.inputs) part += `,${input ? number.get(input) : ""}`;
    if (node.attributes) part += JSON.stringify(node.attributes);
    if (node.op === "Cast") part += node.outputs[0]!.type;
    parts.push(part);
  }
  parts.push(outputs.map((value) => number.get(value)).join());
  return parts.join(";");
}

/** Keeps the programs used last, of those with threads fewer; the rest are freed, threads and all. */
export class ProgramCache {
  readonly #programs = new Map<string, Program>();
  readonly #limit: number;
  readonly #threadedLimit: number;
  constructor(limit: number, threadedLimit: number) {
    this.#limit = limit;
    this.#threadedLimit = threadedLimit;
  }
  get(key: string, make: () => Program): Program {
    let program = this.#programs.get(key);
    if (program) {
      this.#programs.delete(key);
      this.#programs.set(key, program);
      return program;
    }
    program = make();
    this.#programs.set(key, program);
    const all = [...this.#programs];
    const threaded = all.filter(([, { isThreaded }]) => isThreaded);
    if (all.length > this.#limit) this.#drop(all[0]!);
    else if (threaded.length > this.#threadedLimit) this.#drop(threaded[0]!);
    return program;
  }
  #drop([key, program]: [string, Program]): void {
    this.#programs.delete(key);
    program.dispose();
  }
  clear(): void {
    for (const program of this.#programs.values()) program.dispose();
    this.#programs.clear();
  }
}
