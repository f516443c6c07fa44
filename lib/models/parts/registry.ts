/** Which trained networks stand behind the entries of specs, so that another process can be sent them. */
import type { NetworkEntry } from "../trained.ts";
import type { PackedNetwork } from "./packed.ts";

/** The networks that entries stand for, for as long as the entry is there. */
const networks = new WeakMap<object, PackedNetwork>();
/** The same by checksum, for entries that were copied: into the arguments of an operator. */
const byChecksum = new Map<string, WeakRef<PackedNetwork>>();

/** The same entry, known to stand for a network. */
export function registered<T extends NetworkEntry>(entry: T, network: PackedNetwork): T {
  networks.set(entry, network);
  byChecksum.set(entry.network, new WeakRef(network));
  return entry;
}

/** The networks that stand somewhere in a spec of this session, by their checksums: what another process needs to make it again. */
export function networksIn(
  spec: unknown,
  found = new Map<string, PackedNetwork>(),
): ReadonlyMap<string, PackedNetwork> {
  if (spec === null || typeof spec !== "object") return found;
  const { network } = spec as { readonly network?: unknown };
  const own = networks.get(spec) ?? byChecksum.get(network as string)?.deref();
  if (own !== undefined) found.set(network as string, own);
  for (const inner of Object.values(spec)) networksIn(inner, found);
  return found;
}
