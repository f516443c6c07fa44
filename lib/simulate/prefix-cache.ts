import { needOneOf, needWhole, withDefaults } from "../data/options.ts";

/** A request: what is read and what is answered, as tokens. */
export interface PromptRequest {
  readonly input: readonly number[];
  readonly output: readonly number[];
}

/** What a cache of prefixes is. */
export interface PrefixCacheOptions {
  /** Bytes that there is room for. */
  readonly capacity: number;
  /** Bytes of the keys and values of a token, and of the state of the recurrent layers. Default 1 and 64. */
  readonly tokenBytes?: number;
  readonly stateBytes?: number;
  /** Operations of reading so many tokens. Default `l + l²/1000`. */
  readonly flops?: (tokens: number) => number;
  /** Where states are kept: at branches and ends ("branches"), or after every `block` tokens ("blocks"). Default "branches". */
  readonly admit?: "branches" | "blocks";
  /** Default 32. */
  readonly block?: number;
  /** How much operations saved for each byte count beside how lately a prefix was used; 0 is least recently used; "tuned" finds it. Default "tuned". */
  readonly alpha?: number | "tuned";
}

/** What a cache came to. */
export interface PrefixCacheRun {
  /** The share of all input tokens that need not be read, and of requests with some such. */
  readonly tokenHits: number;
  readonly requestHits: number;
  /** Tokens that each request need not read. */
  readonly saved: readonly number[];
  /** Operations that are saved, as a share of all. */
  readonly flopsSaved: number;
  /** The most bytes held. */
  readonly most: number;
  readonly alpha: number;
}

interface Node {
  /** Tokens between the parent and here. */
  key: readonly number[];
  readonly children: Map<number, Node>;
  parent: Node | null;
  /** Tokens up to here. */
  depth: number;
  used: number;
}

/** Weights that "tuned" tries. */
const tried = [0, 0.1, 0.2, 0.5, 1, 1.5, 2];

/**
 * A cache of prefixes for networks with recurrent layers, over a trace of requests: what need not be read again, under a policy of what is kept.
 *
 * The state of a recurrent layer serves a request only where the request goes through the very prefix it was made of. Marconi keeps it where prefixes
 * branch, which is known when a second request leaves an old one's way, and at the end of a request, for a dialogue that goes on. When room is needed, the
 * prefix with at most one continuation goes whose `recency + alpha · operations saved for each byte` is least, both from 0 to 1 among those there are; what
 * follows a prefix that goes keeps its keys and values. "tuned" uses least recently used until five times as many requests have come
 * as there were before the first had to go, and then the alpha that would have served these best.
 *
 * Pan et al. 2024, arXiv:2411.19379, sections 4.1–4.3; the authors' program.
 *
 * Implements: P060 Marconi
 *
 * @throws RangeError where the room is too small for one request.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const chat = [{ input: [1, 2, 3], output: [4] }, { input: [1, 2, 3, 4, 5], output: [6] }];
 * simulate.prefixCache(chat, { capacity: 1000 }).saved; // [0, 4]
 * ```
 */
export function prefixCache(requests: readonly PromptRequest[], options: PrefixCacheOptions): PrefixCacheRun {
  const o = withDefaults<Required<PrefixCacheOptions>>("prefixCache", options, {
    capacity: 0,
    tokenBytes: 1,
    stateBytes: 64,
    flops: (l) => l + (l * l) / 1000,
    admit: "branches",
    block: 32,
    alpha: "tuned",
  });
  needOneOf("prefixCache", "admit", o.admit, ["branches", "blocks"]);
  needWhole("prefixCache", "block", o.block);
  const root: Node = { key: [], children: new Map(), parent: null, depth: 0, used: 0 };
  const nodes = new Set<Node>();
  let [bytes, most, time] = [0, 0, 0];
  let alpha = o.alpha === "tuned" ? 0 : o.alpha;
  let window = Number.POSITIVE_INFINITY;
  const saved: number[] = [];

  /** The nodes that a sequence goes through whole, and how far it goes on the way to the next. */
  function way(tokens: readonly number[]): { readonly last: Node; readonly shared: number } {
    let last = root;
    for (;;) {
      const next = last.children.get(tokens[last.depth]!);
      if (next === undefined) return { last, shared: last.depth };
      const same = common(next.key, tokens, last.depth);
      if (same < next.key.length) return { last, shared: last.depth + same };
      last = next;
    }
  }
  const grown = (more: number): void => {
    bytes += more;
    most = Math.max(most, bytes);
  };
  function add(parent: Node, key: readonly number[]): Node {
    const node: Node = { key, children: new Map(), parent, depth: parent.depth + key.length, used: time };
    parent.children.set(key[0]!, node);
    nodes.add(node);
    grown(o.stateBytes + o.tokenBytes * key.length);
    return node;
  }
  /** A node on the way to a child, so many tokens behind its parent. */
  function split(child: Node, after: number): Node {
    const parent = child.parent!;
    const node: Node = {
      key: child.key.slice(0, after),
      children: new Map(),
      parent,
      depth: parent.depth + after,
      used: time,
    };
    child.key = child.key.slice(after);
    child.parent = node;
    node.children.set(child.key[0]!, child);
    parent.children.set(node.key[0]!, node);
    nodes.add(node);
    grown(o.stateBytes);
    return node;
  }
  function evict(kept: ReadonlySet<Node>): boolean {
    const open = [...nodes].filter((node) => node.children.size <= 1 && !kept.has(node));
    if (open.length === 0) return false;
    const recency = normalised(open.map(({ used }) => used));
    const worth = normalised(open.map(({ depth }) => o.flops(depth) / (o.stateBytes + o.tokenBytes * depth)));
    const least = open.reduce(
      (a, _, i) => (recency[i]! + alpha * worth[i]! < recency[a]! + alpha * worth[a]! ? i : a),
      0,
    );
    const gone = open[least]!;
    const [child] = gone.children.values();
    nodes.delete(gone);
    bytes -= o.stateBytes;
    if (child === undefined) {
      gone.parent!.children.delete(gone.key[0]!);
      bytes -= o.tokenBytes * gone.key.length;
    } else {
      child.key = [...gone.key, ...child.key];
      child.parent = gone.parent;
      gone.parent!.children.set(child.key[0]!, child);
    }
    return true;
  }
  function insert(tokens: readonly number[]): void {
    const need = (): number => {
      const { last, shared } = way(tokens);
      const suffix = tokens.length - shared;
      const blocks = o.admit === "blocks" ? Math.floor(tokens.length / o.block) - Math.floor(shared / o.block) : 0;
      return (Number(shared > last.depth) + Number(suffix > 0) + blocks) * o.stateBytes + suffix * o.tokenBytes;
    };
    while (bytes + need() > o.capacity) {
      const kept = new Set<Node>();
      for (let node: Node | null = way(tokens).last; node !== null; node = node.parent) kept.add(node);
      if (!Number.isFinite(window)) window = 5 * saved.length;
      if (!evict(kept) && !evict(new Set()))
        throw new RangeError(
          `prefixCache: room for a request is required, got ${o.capacity} bytes for ${tokens.length} tokens; raise capacity`,
        );
    }
    let { last, shared } = way(tokens);
    if (shared > last.depth) {
      last = split(last.children.get(tokens[last.depth]!)!, shared - last.depth);
      shared = last.depth;
    }
    const ends = [tokens.length];
    if (o.admit === "blocks")
      for (let at = (Math.floor(shared / o.block) + 1) * o.block; at < tokens.length; at += o.block) ends.push(at);
    for (const end of ends.sort((a, b) => a - b)) if (end > last.depth) last = add(last, tokens.slice(last.depth, end));
  }

  for (const [i, { input, output }] of requests.entries()) {
    if (o.alpha === "tuned" && i === window) alpha = best(requests.slice(0, i), o);
    time++;
    const { last } = way(input);
    last.used = time;
    if (o.alpha === 0) for (let node = last.parent; node !== null; node = node.parent) node.used = time;
    saved.push(last.depth);
    insert([...input, ...output]);
  }
  const all = requests.reduce((sum, { input }) => sum + input.length, 0);
  const work = requests.reduce((sum, { input }) => sum + o.flops(input.length), 0);
  return {
    saved,
    tokenHits: saved.reduce((a, b) => a + b, 0) / all,
    requestHits: saved.filter((tokens) => tokens > 0).length / Math.max(1, requests.length),
    flopsSaved: saved.reduce((sum, tokens) => sum + o.flops(tokens), 0) / work,
    most,
    alpha,
  };
}

/** The weight that serves a trace best. */
function best(requests: readonly PromptRequest[], options: Required<PrefixCacheOptions>): number {
  const hits = tried.map((alpha) => prefixCache(requests, { ...options, alpha }).tokenHits);
  return tried[hits.indexOf(Math.max(...hits))]!;
}

/** How many tokens of a key a sequence goes along from a place on. */
function common(key: readonly number[], tokens: readonly number[], from: number): number {
  let same = 0;
  while (same < key.length && key[same] === tokens[from + same]) same++;
  return same;
}

/** Numbers from 0 to 1; all 1 where they are alike. */
function normalised(values: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.map((value) => (most > least ? (value - least) / (most - least) : 1));
}
