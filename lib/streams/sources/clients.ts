/** Several clients who each see their own share of classes that grow in number. */
import { type Dataset, type Kind, select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import { dirichlet } from "../parts/distributions.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { needClasses } from "../parts/target.ts";
import { dataSpec, makeStream, ofClasses, type Seed, type Stream, source } from "../stream.ts";

/** What `clients` can be told. */
export interface ClientsOptions {
  /** How many clients there are; default 5. */
  readonly clients?: number;
  /** New classes in each round; default all classes in one round. */
  readonly classesPerRound?: number;
  /** The concentration of the Dirichlet distribution: small numbers give each class to few clients; default 0.5. */
  readonly concentration?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * A federated stream: in each round new classes come, and the training examples of each are divided over the clients by shares from a
 * Dirichlet distribution. An experience is one client in one round (`experience.client`), a task is a round. Every example goes to one
 * client; a client who would get nothing in a round gets one example.
 *
 * Shares per class: M. Yurochkin et al., arXiv:1905.12022, section 5. Growing classes: S. Hendryx et al., Federated reconnaissance,
 * arXiv:2109.00150.
 *
 * @example
 * ```ts
 * import { clients, digits } from "thalweg";
 * clients(digits(), { clients: 3, classesPerRound: 5 }).length; // 6
 * ```
 */
export const clients = source("clients", "one", function clients<
  K extends Kind,
>(data: Dataset<K>, options: ClientsOptions = {}): Stream<"boundary" | "labels" | "length", K> {
  const o = withDefaults<Required<ClientsOptions>>("clients", options, {
    clients: 5,
    classesPerRound: data.classes.length,
    concentration: 0.5,
    seed: 0,
  });
  needClasses("clients", data, "megabatches(data, n) takes the others");
  needWhole("clients", "clients", o.clients);
  needWhole("clients", "classesPerRound", o.classesPerRound);
  const rng = rngOf(o.seed, "clients");
  const rounds = Math.ceil(data.classes.length / o.classesPerRound);
  const classesOf = Array.from({ length: rounds }, (_, round) =>
    data.classes.map((_, c) => c).slice(round * o.classesPerRound, (round + 1) * o.classesPerRound),
  );
  const known = new Map<number, Uint32Array[]>();
  const dealt = (round: number): Uint32Array[] => {
    const made = known.get(round) ?? deal(data.train.labels, classesOf[round]!, o, (label) => rng.at("class", label));
    known.set(round, made);
    return made;
  };
  const place = (index: number) => [Math.floor(index / o.clients), index % o.clients] as const;
  return makeStream({
    spec: { name: "clients", args: [options as never], data: dataSpec(data) },
    kind: data.kind,
    shape: data.shape,
    facts: ["boundary", "labels", "length"],
    length: rounds * o.clients,
    classes: data.classes,
    tasks: rounds,
    taskOf: (index) => place(index)[0],
    classesOf: (task) => classesOf[task]!,
    test: (task) => ({ examples: ofClasses(data.test, classesOf[task]!), classes: classesOf[task]! }),
    countOf: (index) => dealt(place(index)[0])[place(index)[1]]!.length,
    experience(index) {
      const [round, client] = place(index);
      const classes = classesOf[round]!;
      const train = select(data.train, dealt(round)[client]!);
      return { index, task: round, client, classes, train, validation: null, test: ofClasses(data.test, classes) };
    },
    ...waiting(o.seed, (seed) => clients(data, { ...options, seed })),
  });
});

function deal(
  labels: Int32Array,
  classes: readonly number[],
  o: Required<ClientsOptions>,
  rngFor: (label: number) => ReturnType<typeof rngOf>,
): Uint32Array[] {
  const rows: number[][] = Array.from({ length: o.clients }, () => []);
  for (const label of classes) {
    const at = byClass(labels).get(label) ?? new Uint32Array(0);
    const rng = rngFor(label);
    const order = rng.permutation(at.length);
    let [share, from] = [0, 0];
    dirichlet(o.clients, o.concentration, rng.at("shares")).forEach((own, client) => {
      share += own;
      const to = client === o.clients - 1 ? at.length : Math.round(share * at.length);
      for (; from < to; from++) rows[client]!.push(at[order[from]!]!);
    });
  }
  for (const own of rows) {
    if (own.length > 0) continue;
    const richest = rows.reduce((a, b) => (b.length > a.length ? b : a));
    if (richest.length < 2)
      throw new RangeError("clients: at least one example for each client is required; take fewer clients");
    own.push(richest.pop()!);
  }
  return rows.map((own) => Uint32Array.from(own).sort());
}
