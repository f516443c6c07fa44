import { needWhole, withDefaults } from "../data/options.ts";
import { type ClientsOptions, clientsOf } from "./clients.ts";
import type { Machine, Process } from "./clock.ts";
import type { ClusterRun, Experiment } from "./cluster.ts";
import { several } from "./parts/several.ts";
import { addTo, meanOf, minus, squared } from "./parts/vectors.ts";
import type { Simulated } from "./simulated.ts";

/** How several networks are trained at once. */
export interface FedAstOptions {
  /** Updates of each network. Default 20. */
  readonly updates?: number;
  /** Clients that work at once, over all networks; default all. */
  readonly active?: number;
  /** Answers that a full buffer has where all networks have as many clients. Default 4. */
  readonly buffer?: number;
  /** What the mean of a buffer is multiplied by. Default 1. */
  readonly rate?: number;
  /** Updates of a network after which clients are dealt anew by how much answers vary; 0 deals them evenly for good. Default 5. */
  readonly reallocate?: number;
  /** "buffers" takes full buffers as they come; "rounds" asks clients for one network after the other and waits for all. Default "buffers". */
  readonly by?: "buffers" | "rounds";
  /** How much longer a client works for each network. Default 1 for all. */
  readonly cost?: readonly number[];
}

interface Answer {
  readonly model: number;
  readonly delta: Float32Array;
  readonly loss: number;
  readonly version: number;
}

/**
 * FedAST: the same clients train several networks at once, each of which takes a step as soon as its buffer of answers is full, and networks whose
 * answers vary more get more clients.
 *
 * A client that has answered is followed by another, drawn at random, for the network that then has fewest of the clients that are due to it. With a buffer of `b` answers, old as
 * they may be, `θ ← θ + rate/b · Σ Δ`. Every `reallocate` updates the clients are dealt anew: network `m` gets a share proportional to `σₘ`, the deviation of
 * the answers since the last time in lengths of their mean, and its buffer grows and shrinks with it. Each study is over a stream of as many clients.
 *
 * Askin, Sharma, Joe-Wong and Joshi 2024, arXiv:2406.00302, and the authors' program (askinb/FedAST): clients by deviations make the sum over networks
 * of variance over clients least. Differs from the program: a client works for one network at a time; answers are compared over all numbers, biases too,
 * and over all since the last time rather than in windows of eight; deviations are roots of variances, which there are halved; no network has a least share.
 *
 * Implements: P090 FedAST
 *
 * @throws TypeError where streams do not name as many clients.
 *
 * @example
 * ```ts
 * import { blobs, clients, mlp, simulate } from "thalweg";
 * const study = clients(blobs(), { clients: 4 }).learn(mlp({ hidden: [8] }));
 * const runs = await simulate.fedAst([study, study], {}, { updates: 2 });
 * runs.map(({ updates }) => updates); // [2, 2]
 * ```
 */
export async function fedAst(
  studies: readonly Experiment[],
  crowd: ClientsOptions = {},
  options: FedAstOptions & ClusterRun = {},
): Promise<readonly Simulated[]> {
  const { seed, signal, evaluateEvery, ...own } = options;
  const counts = studies.map(({ spec }) => clientsOf("fedAst", spec.stream));
  const clients = counts[0] ?? 0;
  if (studies.length === 0 || counts.some((count) => count !== clients))
    throw new TypeError(`fedAst: studies over streams of as many clients are required, got [${counts}]`);
  const o = withDefaults<Required<FedAstOptions>>("fedAst", own, {
    updates: 20,
    active: clients,
    buffer: 4,
    rate: 1,
    reallocate: 5,
    by: "buffers",
    cost: studies.map(() => 1),
  });
  for (const key of ["updates", "active", "buffer"] as const) needWhole("fedAst", key, o[key]);
  needWhole("fedAst", "reallocate", o.reallocate, 0);
  if (o.cost.length !== studies.length)
    throw new RangeError(`fedAst: a cost for each of ${studies.length} networks is required, got ${o.cost.length}`);
  const server = clients;
  const names = [...Array.from({ length: clients }, (_, k) => `client ${k}`), "server"];
  const run = {
    ...(seed !== undefined && { seed }),
    ...(signal && { signal }),
    ...(evaluateEvery && { evaluateEvery }),
  };
  const site = several({ name: "fedAst", options: { ...o, cost: [...o.cost] } }, studies, names, crowd, run);
  const vectors = site.models.map(({ trainer }) => {
    const first = trainer.replica(0);
    const vector = first.vector();
    first.dispose();
    return vector;
  });

  function* client(me: Machine): Process {
    for (let turn = 0; ; turn++) {
      const { body } = yield* me.receive<{ model: number; from: Float32Array; version: number }>("weights");
      const { trainer, local } = site.models[body.model]!;
      const examples = trainer.spec.stream.experience(me.index).train;
      const took = (): number =>
        o.cost[body.model]! * site.seconds(me.index, examples.length * trainer.spec.training.epochs, turn);
      for (; site.loses(me.index, turn); turn++) yield* me.work(took(), "lost");
      const answer = yield* me.work(took(), `train ${body.model}`, (): Answer => {
        const trained = local({ from: body.from, examples, task: 0, client: me.index, turn });
        const delta = minus(trained.vector, body.from);
        return { model: body.model, delta, loss: trained.loss, version: body.version };
      });
      me.send(server, "update", answer, 4 * trainer.numbers);
    }
  }

  /** The mean of some answers goes into a network. */
  function update(me: Machine, model: number, came: readonly Answer[], version: number): void {
    const vector = addTo(vectors[model]!.slice(), meanOf(came.map(({ delta }) => delta)), o.rate);
    vectors[model] = vector;
    const mean = (of: (answer: Answer) => number): number =>
      came.reduce((sum, each) => sum + of(each), 0) / came.length;
    const staleness = mean((answer) => version - answer.version);
    const loss = mean((answer) => answer.loss);
    site.models[model]!.updated(me, { update: version + 1, loss, staleness, vector: () => vector }, [0]);
  }
  const ask = (me: Machine, to: number, model: number, version: number): void =>
    me.send(to, "weights", { model, from: vectors[model]!, version }, 4 * site.models[model]!.trainer.numbers);

  function* buffered(me: Machine): Process {
    const versions = vectors.map(() => 0);
    let shares = vectors.map(() => 1 / vectors.length);
    const working = vectors.map(() => 0);
    const buffers: Answer[][] = vectors.map(() => []);
    const since: Float32Array[][] = vectors.map(() => []);
    const idle = [...site.rng.at("first").permutation(clients)];
    const open = (): number[] => [...versions.keys()].filter((m) => versions[m]! < o.updates);
    const next = (): void => {
      const left = open();
      if (left.length === 0 || idle.length === 0) return;
      const model = left.reduce((a, b) =>
        working[b]! - o.active * shares[b]! < working[a]! - o.active * shares[a]! ? b : a,
      );
      working[model]!++;
      const drawn = site.rng.at("next", versions[model]!, idle.length, working[model]!).int(idle.length);
      ask(me, idle.splice(drawn, 1)[0]!, model, versions[model]!);
    };
    for (let k = 0; k < Math.min(o.active, clients); k++) next();
    while (open().length > 0) {
      const { from, body } = yield* me.receive<Answer>("update");
      const { model } = body;
      working[model]!--;
      idle.push(from);
      if (versions[model]! < o.updates) {
        buffers[model]!.push(body);
        since[model]!.push(body.delta);
        const full = Math.max(1, Math.round(o.buffer * shares[model]! * vectors.length));
        if (buffers[model]!.length >= full) {
          update(me, model, buffers[model]!, versions[model]!);
          versions[model]!++;
          buffers[model] = [];
          if (
            o.reallocate > 0 &&
            versions[model]! % o.reallocate === 0 &&
            since.every((answers) => answers.length > 1)
          ) {
            shares = allocation(since);
            for (const answers of since) answers.length = 0;
          }
        }
      }
      next();
    }
  }

  function* inRounds(me: Machine): Process {
    for (let round = 0; round < o.updates; round++) {
      const order = [...site.rng.at("round", round).permutation(clients)].slice(0, Math.min(o.active, clients));
      for (const [k, to] of order.entries()) ask(me, to, k % vectors.length, round);
      const came: Answer[][] = vectors.map(() => []);
      for (let k = 0; k < order.length; k++) {
        const { body } = yield* me.receive<Answer>("update");
        came[body.model]!.push(body);
      }
      for (const [model, answers] of came.entries()) if (answers.length > 0) update(me, model, answers, round);
    }
  }

  for (let k = 0; k < clients; k++) site.clock.spawn(k, client, { server: true });
  site.clock.spawn(server, o.by === "rounds" ? inRounds : buffered);
  return site.run(() => vectors);
}

/** The shares of clients that networks get, by how much their answers vary. */
export function allocation(answers: readonly (readonly Float32Array[])[]): number[] {
  const deviations = answers.map((own) => {
    const mean = meanOf(own);
    const apart = own.reduce((sum, delta) => sum + squared(minus(delta, mean)), 0) / (own.length - 1);
    return Math.sqrt(apart / Math.max(squared(mean), 1e-12));
  });
  const total = deviations.reduce((a, b) => a + b, 0);
  return deviations.map((deviation) => (total > 0 ? deviation / total : 1 / answers.length));
}
