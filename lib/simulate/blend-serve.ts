import { needOneOf, withDefaults } from "../data/options.ts";

/** A request of a batch: its prompt, and how many tokens it is answered with. */
export interface OfflineRequest {
  readonly prompt: readonly number[];
  readonly answer: number;
}

/** What a machine that serves is. */
export interface BlendServeOptions {
  /** Tokens whose keys and values there is room for. */
  readonly room: number;
  /** In which order requests begin: as they come, by prefix, or blended. Default "blend". */
  readonly order?: "given" | "prefix" | "blend";
  /** Seconds of arithmetic for a token, and of reading the keys and values of one. Default 1 and 0.01. */
  readonly compute?: number;
  readonly memory?: number;
  /** Prompt tokens that a step reads at most. Default 64. */
  readonly chunk?: number;
}

/** What serving a batch came to. */
export interface Served {
  readonly seconds: number;
  /** Tokens, read and answered, in a second. */
  readonly throughput: number;
  /** Prompt tokens that were not read since a request that shares them was there. */
  readonly shared: number;
  /** The requests in the order in which they began. */
  readonly began: readonly number[];
  /** Seconds below which no order comes: all arithmetic with every prefix read once, or all reading. */
  readonly least: number;
}

/** Requests below a prefix, and what they ask for. */
interface Tree {
  readonly children: Map<number, Tree>;
  readonly ends: number[];
  compute: number;
  memory: number;
}

/**
 * BlendServe: the requests of a batch that nobody waits for are ordered so that those which need arithmetic run beside those which need memory, and
 * requests that share a prefix stay together.
 *
 * A step takes the longer of its arithmetic (prompt tokens read, one token of each answer) and its memory (the keys and values of all that is there): both
 * run at once. Requests are leaves of a tree of prefixes; every node knows the arithmetic and the memory of what is below it, a shared
 * prefix counted once, and its children stand by the ratio of the two. Two scanners take requests from the two ends of the tree: from that of arithmetic
 * where what runs is below the ratio of the whole batch, else from that of memory.
 *
 * Zhao et al. 2024, arXiv:2411.16102, sections 4–5 (performance model, resource-aware prefix tree, dual scanner). Written from the abstract and accounts of it.
 * Differs from the paper: answers' lengths are known; no node of the tree is split.
 *
 * Implements: P177 BlendServe
 *
 * @throws RangeError where there is no room for a request.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const batch = [{ prompt: [1, 2], answer: 1 }, { prompt: [1, 2, 3], answer: 1 }];
 * simulate.blendServe(batch, { room: 100 }).shared; // 2
 * ```
 */
export function blendServe(requests: readonly OfflineRequest[], options: BlendServeOptions): Served {
  const o = withDefaults<Required<BlendServeOptions>>("blendServe", options, {
    room: 0,
    order: "blend",
    compute: 1,
    memory: 0.01,
    chunk: 64,
  });
  needOneOf("blendServe", "order", o.order, ["given", "prefix", "blend"]);
  const sizeOf = ({ prompt, answer }: OfflineRequest): number => prompt.length + answer;
  const tight = requests.find((request) => sizeOf(request) > o.room);
  if (tight !== undefined)
    throw new RangeError(`blendServe: room for ${sizeOf(tight)} tokens of a request is required, got ${o.room}`);
  /** Seconds of reading keys and values for all tokens of an answer. */
  const memoryOf = ({ prompt, answer }: OfflineRequest): number =>
    o.memory * (prompt.length * answer + (answer * (answer + 1)) / 2);
  const tree = treeOf(requests, o.compute, memoryOf);
  const target = tree.compute / Math.max(tree.memory, 1e-12);
  const sorted = o.order === "given" ? requests.map((_, i) => i) : [...leavesOf(tree, o.order === "blend")];
  let [left, right] = [0, sorted.length - 1];

  const running = new Map<number, { read: number; answered: number; toRead: number }>();
  const began: number[] = [];
  let [seconds, held, shared, lastLeft, lastRight] = [0, 0, 0, -1, -1];
  /** Prompt tokens that a request shares with one that is there, or was the last that its scanner began. */
  const sharing = (at: number): number =>
    [...running.keys(), lastLeft, lastRight].reduce(
      (most, other) => (other < 0 ? most : Math.max(most, common(requests[at]!.prompt, requests[other]!.prompt))),
      0,
    );
  const ratio = (): number => {
    const [compute, memory] = [...running.keys()].reduce(
      ([c, m], at) => [c + o.compute * sizeOf(requests[at]!), m + memoryOf(requests[at]!)] as const,
      [0, 0] as readonly [number, number],
    );
    return running.size === 0 ? target : compute / Math.max(memory, 1e-12);
  };
  for (;;) {
    while (left <= right) {
      const fromLeft = o.order !== "blend" || ratio() <= target;
      const at = sorted[fromLeft ? left : right]!;
      if (held + sizeOf(requests[at]!) > o.room) break;
      const own = Math.min(sharing(at), requests[at]!.prompt.length - 1);
      shared += Math.max(0, own);
      running.set(at, { read: Math.max(0, own), answered: 0, toRead: requests[at]!.prompt.length });
      held += sizeOf(requests[at]!);
      began.push(at);
      if (fromLeft) [left, lastLeft] = [left + 1, at];
      else [right, lastRight] = [right - 1, at];
    }
    if (running.size === 0) break;
    let [arithmetic, cached, budget] = [0, 0, o.chunk];
    for (const [at, state] of running) {
      if (state.read < state.toRead) {
        const some = Math.min(budget, state.toRead - state.read);
        state.read += some;
        budget -= some;
        arithmetic += some;
        continue;
      }
      state.answered++;
      arithmetic++;
      cached += state.read + state.answered;
      if (state.answered < requests[at]!.answer) continue;
      running.delete(at);
      held -= sizeOf(requests[at]!);
    }
    seconds += Math.max(o.compute * arithmetic, o.memory * cached);
  }
  const tokens = requests.reduce((sum, request) => sum + sizeOf(request), 0);
  return {
    seconds,
    throughput: tokens / Math.max(seconds, 1e-12),
    shared,
    began,
    least: Math.max(tree.compute, tree.memory),
  };
}

function treeOf(
  requests: readonly OfflineRequest[],
  compute: number,
  memoryOf: (request: OfflineRequest) => number,
): Tree {
  const fresh = (): Tree => ({ children: new Map(), ends: [], compute: 0, memory: 0 });
  const root = fresh();
  for (const [i, request] of requests.entries()) {
    const way = [root];
    for (const token of request.prompt) {
      const last = way.at(-1)!;
      const next = last.children.get(token) ?? fresh();
      if (!last.children.has(token)) for (const node of [...way, next]) node.compute += compute; // read once
      last.children.set(token, next);
      way.push(next);
    }
    way.at(-1)!.ends.push(i);
    for (const node of way) {
      node.compute += compute * request.answer;
      node.memory += memoryOf(request);
    }
  }
  return root;
}

/** Requests from the end of arithmetic to that of memory, or as they first came; those below one prefix together. */
function* leavesOf(tree: Tree, byRatio: boolean): Generator<number> {
  yield* tree.ends;
  const children = [...tree.children.values()];
  const ratio = ({ compute, memory }: Tree): number => compute / Math.max(memory, 1e-12);
  for (const child of byRatio ? children.sort((a, b) => ratio(b) - ratio(a)) : children)
    yield* leavesOf(child, byRatio);
}

function common(a: readonly number[], b: readonly number[]): number {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  return same;
}
