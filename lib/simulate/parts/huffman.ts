/** Huffman's code: few bits for what comes often. */

/** The bits of each symbol as text of 0 and 1, by how often it comes; a symbol alone has one bit. */
export function huffman(counts: ReadonlyMap<number, number>): Map<number, string> {
  type Node = {
    readonly count: number;
    readonly order: number;
    readonly symbol?: number;
    readonly parts?: readonly [Node, Node];
  };
  let order = 0;
  let nodes: Node[] = [...counts].map(([symbol, count]) => ({ symbol, count, order: order++ }));
  const codes = new Map<number, string>();
  if (nodes.length === 1) return codes.set(nodes[0]!.symbol!, "0");
  while (nodes.length > 1) {
    nodes = nodes.sort((a, b) => a.count - b.count || a.order - b.order);
    const [a, b, ...rest] = nodes as [Node, Node, ...Node[]];
    nodes = [...rest, { count: a.count + b.count, order: order++, parts: [a, b] }];
  }
  const walk = (node: Node, bits: string): void => {
    if (node.parts === undefined) codes.set(node.symbol!, bits);
    else for (const [i, part] of node.parts.entries()) walk(part, bits + i);
  };
  if (nodes[0] !== undefined) walk(nodes[0], "");
  return codes;
}

/** How often each symbol comes. */
export function countsOf(symbols: Iterable<number>): Map<number, number> {
  const counts = new Map<number, number>();
  for (const symbol of symbols) counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
  return counts;
}

/** Symbols as bits in bytes. */
export function encodeBits(symbols: ArrayLike<number>, codes: ReadonlyMap<number, string>): Uint8Array {
  let length = 0;
  for (let i = 0; i < symbols.length; i++) length += codes.get(symbols[i]!)!.length;
  const out = new Uint8Array(Math.ceil(length / 8));
  let at = 0;
  for (let i = 0; i < symbols.length; i++)
    for (const bit of codes.get(symbols[i]!)!) {
      if (bit === "1") out[at >> 3]! |= 1 << (at & 7);
      at++;
    }
  return out;
}

/** So many symbols out of bits. */
export function decodeBits(bytes: Uint8Array, count: number, codes: ReadonlyMap<number, string>): number[] {
  const symbols = new Map([...codes].map(([symbol, bits]) => [bits, symbol]));
  const out: number[] = [];
  let bits = "";
  for (let at = 0; out.length < count; at++) {
    bits += (bytes[at >> 3]! >> (at & 7)) & 1;
    const symbol = symbols.get(bits);
    if (symbol === undefined) continue;
    out.push(symbol);
    bits = "";
  }
  return out;
}
