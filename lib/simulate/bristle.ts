import { needOneOf, needShare, needWhole } from "../data/options.ts";
import type { Rng } from "../engine/index.ts";
import { federated } from "./clients.ts";
import type { Machine, Process } from "./clock.ts";
import {
  headOf,
  type Output,
  outputOf,
  recallsOf,
  type Seen,
  trainedOutput,
  withOutput,
} from "./parts/output-layer.ts";

/** What Byzantine peers send. */
const attacks = ["noise", "flip", "none"] as const;

/**
 * Bristle: peers without a server, some of whom lie, send one another the output layers of a frozen network; each takes over, class by class,
 * from those who recognise its own test examples better.
 *
 * In each round a peer trains its output layer on its examples and sends it to `peers` others at random. Of what it gets it looks at the `closest` by
 * distance and at `explore` others at random (the prioritiser). With its recall `r` and another's `q` of a class on examples it has
 * held back, the other's class counts `max(0, 10 σ(s/100) − 4) · certainty`, s being `(10 (q − r))^(3 + r)` where the other is better, `−(10 (r − q))^(4 + r)` where it is
 * worse, and the certainty the mean of its recalls less their deviation (the integrator). Classes that a peer has no examples of are the mean of the others'
 * by what they come to over all its classes. Of an other's classes as many count as it has examples of, those that it recognises best.
 *
 * The result is the network of the first honest peer. What a peer sends is the output layer alone.
 *
 * Verbraeken, de Vos and Pouwelse 2021, arXiv:2110.11006, sections 4.2–4.3; the authors' program.
 * Differs from the paper: peers go in rounds; its penalty for attackers that follow one another is left out; the output layer learns by plain
 * SGD at the study's rate.
 *
 * Implements: P134 Bristle
 *
 * @throws TypeError for a head that is not linear.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.bristle({ rounds: 5, byzantine: 0.3, attack: "flip" }).spec.name; // "bristle"
 * ```
 */
export const bristle = federated(
  "bristle",
  {
    /** Rounds for each round of the stream. */
    rounds: 10,
    /** How many others a peer sends its output layer to. */
    peers: 4,
    /** How many output layers are looked at by their distance, and how many others at random. */
    closest: 3,
    explore: 1,
    /** The share of a peer's examples that it judges others by. */
    held: 0.3,
    /** The share of peers who lie, and how: "noise", or "flip" (trained on the next class's labels). */
    byzantine: 0,
    attack: "noise" as (typeof attacks)[number],
    /** "integrate", or "average" to take the plain mean of what comes, for comparison. */
    by: "integrate" as "integrate" | "average",
  },
  ({ rounds, peers, closest, explore, held, byzantine, attack, by }) => {
    for (const [name, value] of Object.entries({ rounds, peers, closest })) needWhole("bristle", name, value);
    needWhole("bristle", "explore", explore, 0);
    for (const [name, value] of Object.entries({ held, byzantine })) needShare("bristle", name, value);
    needOneOf("bristle", "attack", attack, attacks);
    needOneOf("bristle", "by", by, ["integrate", "average"]);
    return (site) => {
      const { clients, tasks, clock, trainer, rng } = site;
      const place = headOf("bristle", trainer);
      const first = trainer.replica(0);
      const base = first.vector();
      first.dispose();
      const bytes = 4 * (place.kernel.size + place.bias.size + 1); // and how many classes it has
      const liars = new Set(rng.at("liars").sample(clients, Math.round(byzantine * clients)));
      const shown = Array.from({ length: clients }, (_, k) => k).find((k) => !liars.has(k)) ?? 0;
      const { optimizer, training } = trainer.spec;
      const how = { rate: optimizer.rate, batch: training.batch, epochs: training.epochs };
      const outputs: Output[] = Array.from({ length: clients }, () => outputOf(base, place));
      const vector = (): Float32Array => withOutput(base, place, outputs[shown]!);
      /** To whom a peer sends in a round. */
      const sentTo = (peer: number, round: number): number[] =>
        [...rng.at("sends", peer, round).sample(clients - 1, Math.min(peers, clients - 1))].map((k) =>
          k < peer ? k : k + 1,
        );

      function* peer(me: Machine): Process {
        for (let task = 0; task < tasks; task++) {
          const own = seenBy(me.index, task);
          for (let k = 0; k < rounds; k++) {
            const round = task * rounds + k;
            const draw = rng.at("peer", me.index, round);
            const { labels } = own.learns;
            const learns =
              liars.has(me.index) && attack === "flip"
                ? { ...own.learns, labels: labels.map((label) => (label + 1) % place.bias.size) }
                : own.learns;
            const trained = yield* me.work(site.seconds(me.index, how.epochs * labels.length, round), "train", () =>
              trainedOutput(outputs[me.index]!, learns, how, draw.at("order")),
            );
            const output = liars.has(me.index) && attack === "noise" ? noisy(trained, draw.at("noise")) : trained;
            const says: Said = { output, classes: new Set(learns.labels).size };
            for (const to of sentTo(me.index, round)) me.send(to, `output#${round}#${me.index}`, says, bytes);
            const came: Said[] = [];
            for (let from = 0; from < clients; from++)
              if (from !== me.index && sentTo(from, round).includes(me.index))
                came.push((yield* me.receive<Said>(`output#${round}#${from}`)).body);
            outputs[me.index] =
              by === "average"
                ? meanOf([trained, ...came.map((each) => each.output)])
                : integrated(trained, prioritised(trained, came, closest, explore, draw.at("explore")), own.judges);
            if (me.index === shown) site.updated(me, { update: round + 1, loss: 0, vector }, task);
          }
        }
      }
      /** What a peer learns from and what it judges others by. */
      function seenBy(index: number, task: number): { readonly learns: Seen; readonly judges: Seen } {
        const examples = site.examples(task, index);
        const features = trainer.features(base, examples);
        const width = features.length / examples.length;
        const order = rng.at("held", index, task).permutation(examples.length);
        const count = Math.max(1, Math.round(held * examples.length));
        const part = (rows: Uint32Array): Seen => ({
          features: Float32Array.from([...rows].flatMap((i) => [...features.subarray(i * width, (i + 1) * width)])),
          labels: Int32Array.from(rows, (i) => examples.labels[i]!),
        });
        return { learns: part(order.subarray(count)), judges: part(order.subarray(0, count)) };
      }
      for (let k = 0; k < clients; k++) clock.spawn(k, peer);
      return { end: vector };
    };
  },
);

/** What a peer sends: its output layer, and how many classes it has examples of. */
export interface Said {
  readonly output: Output;
  readonly classes: number;
}

/** The output layers that a peer looks at: the closest, and some of the others. */
export function prioritised(
  own: Output,
  others: readonly Said[],
  closest: number,
  explore: number,
  rng: Rng,
): readonly Said[] {
  const distance = ({ output }: Said): number =>
    own.reduce((sum, column, c) => sum + column.reduce((s, x, d) => s + (x - output[c]![d]!) ** 2, 0), 0);
  const sorted = others
    .map((other) => [other, distance(other)] as const)
    .sort(([, a], [, b]) => a - b)
    .map(([other]) => other);
  const far = sorted.slice(closest);
  const drawn = far.length === 0 ? [] : [...rng.sample(far.length, Math.min(explore, far.length))].map((i) => far[i]!);
  return [...sorted.slice(0, closest), ...drawn];
}

/** An output layer with what others know better, judged by examples. */
export function integrated(own: Output, others: readonly Said[], judges: Seen): Output {
  const mine = recallsOf(own, judges);
  const known = mine.flatMap((recall, label) => (Number.isNaN(recall) ? [] : [label]));
  const weights = others.map(({ output, classes }) => {
    const recalls = recallsOf(output, judges);
    // of the classes that both may know, as many as the other has examples of
    const best = [...known].sort((a, b) => recalls[b]! - recalls[a]!).slice(0, classes);
    const theirs = best.map((label) => recalls[label]!);
    const mean = theirs.reduce((a, b) => a + b, 0) / Math.max(1, theirs.length);
    const deviation = Math.sqrt(theirs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, theirs.length));
    const certainty = Math.max(0, mean - deviation);
    const scores = new Map(best.map((label) => [label, scoreOf(mine[label]!, recalls[label]!)]));
    const total = [...scores.values()].reduce((a, b) => a + b, 0);
    return own.map((_, label) => {
      if (!known.includes(label)) return weightOf(total, certainty);
      const score = scores.get(label);
      return score === undefined ? 0 : weightOf(Math.max(-100, score), certainty);
    });
  });
  return own.map((column, label) => {
    const total = weights.reduce((sum, each) => sum + each[label]!, 1);
    return column.map(
      (x, d) => (x + others.reduce((sum, other, k) => sum + weights[k]![label]! * other.output[label]![d]!, 0)) / total,
    );
  });
}

/** How much better or worse another recognises a class. */
function scoreOf(mine: number, theirs: number): number {
  const apart = 10 * Math.abs(theirs - mine);
  return theirs > mine ? apart ** (3 + mine) : -(apart ** (4 + mine));
}

function weightOf(score: number, certainty: number): number {
  return Math.max(0, 10 / (1 + Math.exp(-score / 100)) - 4) * certainty;
}

/** Noise as large as the output layer. */
function noisy(output: Output, rng: Rng): Output {
  return output.map((column, label) => {
    const size = Math.hypot(...column) / Math.sqrt(column.length) || 1;
    return Float64Array.from(rng.at(label).fillNormal(new Float32Array(column.length), 0, 3 * size));
  });
}

function meanOf(outputs: readonly Output[]): Output {
  return outputs[0]!.map((column, label) =>
    column.map((_, d) => outputs.reduce((sum, output) => sum + output[label]![d]!, 0) / outputs.length),
  );
}
