import type { Examples } from "../data/dataset.ts";
import { federated } from "./clients.ts";
import type { Machine, Process } from "./clock.ts";
import { type HeadPlace, headOf } from "./parts/output-layer.ts";

/** What a client has met of a class: how many examples, and the sum of their features. */
interface Met {
  readonly label: number;
  readonly count: number;
  readonly sum: Float64Array;
}

/**
 * Federated reconnaissance: clients send the mean features of the classes they meet, the server keeps a running mean of each, and an example
 * is of the class whose mean is nearest.
 *
 * Nothing is trained: the features are those of the study's model, which should be a trained one (`from(network)`). A class costs its mean and
 * a count on its way, whatever the network's size; in every round of the stream the clients tell of what they have met in it. The result is
 * a network: its linear head has the kernel `2μ` and the bias `−‖μ‖²`, which ranks classes by their distance. A class that nobody has met is
 * never answered.
 *
 * Hendryx, KC, Walls and Morrison 2021, arXiv:2109.00150, section 4 (prototypes and their online average).
 * Differs from the paper: the features are any trained network's, where its own are trained episodically.
 *
 * Implements: P026 Federated Reconnaissance
 *
 * @throws TypeError for a head that is not linear.
 *
 * @example
 * ```ts
 * import { clients, digits, mlp, simulate } from "thalweg";
 * const study = clients(digits(), { clients: 4, classesPerRound: 5 }).learn(mlp({ hidden: [64] }));
 * (await simulate.clients().train(study, simulate.protoMerge())).updates; // 2
 * ```
 */
export const protoMerge = federated("protoMerge", {}, () => (site) => {
  const { clients, server, tasks, clock, trainer } = site;
  const first = trainer.replica(0);
  const base = first.vector();
  first.dispose();
  const head = headOf("protoMerge", trainer);
  const known = new Map<number, { count: number; sum: Float64Array }>();
  let vector = withPrototypes(base, head, known);

  function* client(me: Machine): Process {
    for (;;) {
      const { body: task } = yield* me.receive<number>("round");
      const examples = site.examples(task, me.index);
      const met = yield* me.work(site.seconds(me.index, examples.length, task), "features", () =>
        sumsOf(trainer.features(base, examples), examples),
      );
      me.send(
        server,
        `means#${task}`,
        met,
        met.reduce((bytes, { sum }) => bytes + 4 * (sum.length + 2), 0),
      );
    }
  }
  function* serve(me: Machine): Process {
    for (let task = 0; task < tasks; task++) {
      const asked = Array.from({ length: clients }, (_, k) => k).filter((k) => !site.loses(k, task));
      for (const k of asked) me.send(k, "round", task, 4);
      for (let k = 0; k < asked.length; k++)
        for (const { label, count, sum } of (yield* me.receive<readonly Met[]>(`means#${task}`)).body) {
          const own = known.get(label) ?? { count: 0, sum: new Float64Array(sum.length) };
          known.set(label, { count: own.count + count, sum: own.sum.map((x, i) => x + sum[i]!) });
        }
      vector = withPrototypes(base, head, known);
      const now = vector;
      site.updated(me, { update: task + 1, loss: 0, vector: () => now }, task);
    }
  }
  for (let k = 0; k < clients; k++) clock.spawn(k, client, { server: true });
  clock.spawn(server, serve);
  return { end: () => vector };
});

/** Sums of features by class. */
function sumsOf(features: Float32Array, { labels, length }: Examples): Met[] {
  const width = features.length / Math.max(1, length);
  const sums = new Map<number, { count: number; sum: Float64Array }>();
  for (const [i, label] of labels.entries()) {
    const own = sums.get(label) ?? { count: 0, sum: new Float64Array(width) };
    own.count++;
    for (let d = 0; d < width; d++) own.sum[d]! += features[i * width + d]!;
    sums.set(label, own);
  }
  return [...sums].map(([label, own]) => ({ label, ...own }));
}

/** A network that answers by the nearest mean. */
function withPrototypes(
  base: Float32Array,
  { kernel, bias }: HeadPlace,
  known: ReadonlyMap<number, { readonly count: number; readonly sum: Float64Array }>,
): Float32Array {
  const out = base.slice();
  const classes = bias.size;
  out.fill(0, kernel.from, kernel.from + kernel.size);
  out.fill(-1e9, bias.from, bias.from + bias.size);
  for (const [label, { count, sum }] of known) {
    let square = 0;
    for (const [d, x] of sum.entries()) {
      const mean = x / count;
      out[kernel.from + d * classes + label] = 2 * mean;
      square += mean * mean;
    }
    out[bias.from + label] = -square;
  }
  return out;
}
