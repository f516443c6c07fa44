import { needWhole, withDefaults } from "../data/options.ts";
import type { ClientsOptions } from "./clients.ts";
import type { Machine, Process } from "./clock.ts";
import type { ClusterRun, Experiment } from "./cluster.ts";
import { several } from "./parts/several.ts";
import type { Layer } from "./parts/trainer.ts";
import { addTo } from "./parts/vectors.ts";
import type { Simulated } from "./simulated.ts";

/** How clients with data of their own form learn together. */
export interface FleegOptions {
  /** Default 10. */
  readonly rounds?: number;
  /** Paths of the tensors that all share, by their beginning ("model/2-dense"); default all that are of one form in every network, heads excepted. */
  readonly shared?: readonly string[];
}

/**
 * FLEEG: each client has a study of its own, with inputs of its own form; the layers that all have alike go through a server, which averages
 * them by the clients' examples, while first layers and heads stay at home.
 *
 * A client trains its whole network for a turn, sends its shared layers, and takes the mean in their place. What it sends is the shared layers alone.
 *
 * Liu et al. 2023, arXiv:2308.11636, section III (personal layers for each dataset, a shared middle). Written from the abstract.
 *
 * Implements: P347 FLEEG
 *
 * @throws RangeError where nothing is of one form in every network.
 *
 * @example
 * ```ts
 * import { blobs, classes, net, simulate } from "thalweg";
 * const study = (dimensions: number) => classes(blobs({ dimensions })).learn(net().dense(8).relu().dense(8).relu());
 * (await simulate.fleeg([study(2), study(5)], {}, { rounds: 2 })).length; // 2
 * ```
 */
export async function fleeg(
  studies: readonly Experiment[],
  crowd: ClientsOptions = {},
  options: FleegOptions & ClusterRun = {},
): Promise<readonly Simulated[]> {
  const { seed, signal, evaluateEvery, ...own } = options;
  const o = withDefaults<Required<FleegOptions>>("fleeg", own, { rounds: 10, shared: [] });
  needWhole("fleeg", "rounds", o.rounds);
  needWhole("fleeg", "clients", studies.length);
  const server = studies.length;
  const names = [...studies.map((_, k) => `client ${k}`), "server"];
  const run = {
    ...(seed !== undefined && { seed }),
    ...(signal && { signal }),
    ...(evaluateEvery && { evaluateEvery }),
  };
  const site = several({ name: "fleeg", options: { ...o, shared: [...o.shared] } }, studies, names, crowd, run);
  const places = sharedBy(
    site.models.map(({ trainer }) => trainer.layers),
    o.shared,
  );
  const size = places[0]!.reduce((sum, { size }) => sum + size, 0);
  const vectors = site.models.map(({ trainer }) => {
    const first = trainer.replica(0);
    const vector = first.vector();
    first.dispose();
    return vector;
  });
  /** The shared numbers of a client's network. */
  const part = (client: number): Float32Array =>
    Float32Array.from(places[client]!.flatMap(({ from, size }) => [...vectors[client]!.subarray(from, from + size)]));
  const put = (client: number, numbers: Float32Array): void => {
    let at = 0;
    for (const { from, size } of places[client]!) {
      vectors[client]!.set(numbers.subarray(at, at + size), from);
      at += size;
    }
  };

  function* client(me: Machine): Process {
    const { trainer, local, updated } = site.models[me.index]!;
    for (let round = 0; round < o.rounds; round++) {
      put(me.index, (yield* me.receive<Float32Array>(`shared#${round}`)).body);
      const examples = trainer.spec.stream.experience(0).train;
      const took = site.seconds(me.index, examples.length * trainer.spec.training.epochs, round);
      const trained = yield* me.work(took, "train", () =>
        local({ from: vectors[me.index]!, examples, task: 0, client: me.index, turn: round }),
      );
      vectors[me.index] = trained.vector;
      const now = trained.vector.slice();
      updated(me, { update: round + 1, loss: trained.loss, vector: () => now }, [0]);
      me.send(server, `update#${round}`, { own: part(me.index), examples: examples.length }, 4 * size);
    }
  }
  function* serve(me: Machine): Process {
    let shared = part(0); // all begin from the first one's
    for (let round = 0; round < o.rounds; round++) {
      for (let to = 0; to < server; to++) me.send(to, `shared#${round}`, shared, 4 * size);
      const came: { readonly own: Float32Array; readonly examples: number }[] = [];
      while (came.length < server) came.push((yield* me.receive<(typeof came)[number]>(`update#${round}`)).body);
      const total = came.reduce((sum, { examples }) => sum + examples, 0);
      shared = new Float32Array(size);
      for (const { own, examples } of came) addTo(shared, own, examples / total);
    }
  }
  for (let k = 0; k < server; k++) site.clock.spawn(k, client);
  site.clock.spawn(server, serve);
  return site.run(() => vectors);
}

/** Where the layers that all networks share lie in each. */
function sharedBy(networks: readonly (readonly Layer[])[], wanted: readonly string[]): Layer[][] {
  const [first, ...rest] = networks as [readonly Layer[], ...(readonly Layer[])[]];
  const matching = ({ path, shape }: Layer, layers: readonly Layer[]): Layer | undefined =>
    layers.find((other) => other.path === path && `${other.shape}` === `${shape}`);
  const chosen = first.filter(({ path = "" }) =>
    wanted.length === 0 ? path.startsWith("model/") : wanted.some((begins) => path.startsWith(begins)),
  );
  const shared = chosen.filter((layer) => rest.every((layers) => matching(layer, layers) !== undefined));
  // a layer is shared whole or not at all
  const whole = shared.filter(({ path = "" }) => {
    const own = path.slice(0, path.lastIndexOf("/"));
    return chosen
      .filter((layer) => layer.path?.startsWith(`${own}/`))
      .every((layer) => shared.some((other) => other.path === layer.path));
  });
  if (whole.length === 0)
    throw new RangeError(
      `fleeg: a layer of one form in every network is required, got none; their first ones have ${networks.map((layers) => layers.map(({ path, shape }) => `${path} [${shape}]`).join(", ")).join("; ")}`,
    );
  return networks.map((layers) => whole.map((layer) => matching(layer, layers)!));
}
