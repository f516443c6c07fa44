import { needOneOf, needWhole } from "../data/options.ts";
import { federated } from "./clients.ts";
import type { Machine, Process } from "./clock.ts";
import { type Codec, withFeedback } from "./codec.ts";
import { after } from "./parts/local.ts";
import { addTo, minus } from "./parts/vectors.ts";

interface Asked {
  readonly from: Float32Array;
  readonly task: number;
  readonly version: number;
}

interface Answer {
  readonly client: number;
  readonly delta: Float32Array;
  readonly examples: number;
  readonly loss: number;
  readonly version: number;
}

/**
 * Asynchronous federated learning: clients work all the time, each from the weights it was given last, and the server adds up the ways they
 * went when it is time.
 *
 * When: `every: "answer"` at each answer (asynchronous FedAvg), `"buffer"` when `buffer` answers have come (FedBuff), `"interval"` after every
 * `interval` seconds with whatever has come (FedFix). What: `θ ← θ + rate · Σᵢ dᵢ Δᵢ`, where `Δᵢ` is the way from the weights the client had,
 * old as they may be. `dᵢ` is the client's share of all examples; where one answer or a buffer of them stands for all clients, times the
 * number of clients over that of answers, and at most 1. `weights: "frequency"` divides it by how often the client has answered so far against
 * the mean of all, so that fast clients do not pull the optimum to theirs. A client whose answer is lost begins again where it began.
 *
 * Fraboni, Vidal, Kameni and Lorenzi 2022, arXiv:2206.10189, eq. 4 and section 3 (FedFix, section 3.4); Nguyen et al. 2022, arXiv:2106.06639 (FedBuff).
 * Differs from the papers: frequencies are those observed, theirs follow from known distributions of times.
 *
 * Implements: P232 FedFix
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.fedAsync({ every: "interval", interval: 2 }).spec.name; // "fedAsync"
 * ```
 */
export const fedAsync = federated(
  "fedAsync",
  {
    /** Updates of the server for each round of the stream. */
    updates: 50,
    /** When the server adds up: "answer", "buffer" or "interval". */
    every: "answer" as "answer" | "buffer" | "interval",
    /** Answers that a full buffer has. */
    buffer: 10,
    /** Seconds between two updates. */
    interval: 1,
    /** What an answer weighs: "examples" or "frequency". */
    weights: "examples" as "examples" | "frequency",
    /** What the sum is multiplied by. */
    rate: 1,
    /** How much less an old answer counts: divided by `(1 + staleness)^damping`. */
    damping: 0,
    /** What clients' updates are coded with. */
    codec: null as Codec | null,
  },
  ({ updates, every, buffer, interval, weights, rate, damping, codec }) => {
    needWhole("fedAsync", "updates", updates);
    needWhole("fedAsync", "buffer", buffer);
    needOneOf("fedAsync", "every", every, ["answer", "buffer", "interval"]);
    needOneOf("fedAsync", "weights", weights, ["examples", "frequency"]);
    if (!(interval > 0)) throw new RangeError(`fedAsync: an interval above 0 seconds is required, got ${interval}`);
    return (site) => {
      const { clients, server, tasks, clock, trainer } = site;
      const first = trainer.replica(0);
      const vector = first.vector();
      first.dispose();
      const answered = new Float64Array(clients);
      let [version, task] = [0, 0];

      function* client(me: Machine): Process {
        const code = withFeedback(codec, trainer.layers, trainer.root.at("codec", me.index));
        for (let turn = 0; ; turn++) {
          const { body } = yield* me.receive<Asked>("weights");
          const examples = site.examples(body.task, me.index);
          const took = (): number => site.seconds(me.index, examples.length * trainer.spec.training.epochs, turn);
          for (; site.loses(me.index, turn); turn++) yield* me.work(took(), "lost");
          const answer = yield* me.work(took(), "train", () =>
            after(site.local({ ...body, examples, client: me.index, turn }), (trained) => {
              const way = minus(trained.vector, body.from);
              const { vector: coded, bytes } = code(way.subarray(0, trainer.weights));
              way.set(coded);
              const own = {
                client: me.index,
                delta: way,
                examples: trained.examples,
                loss: trained.loss,
                version: body.version,
              };
              return { own, bytes: bytes + 4 * (trainer.numbers - trainer.weights) };
            }),
          );
          me.send(server, "update", answer.own satisfies Answer, answer.bytes);
        }
      }

      const shareOf = (answer: Answer, total: number): number => {
        const often =
          weights === "frequency" ? answered[answer.client]! / (answered.reduce((a, b) => a + b, 0) / clients) : 1;
        return answer.examples / total / often / (1 + version - answer.version) ** damping;
      };

      function* serve(me: Machine): Process {
        const ask = (to: number): void =>
          me.send(to, "weights", { from: vector.slice(), task, version } satisfies Asked, 4 * trainer.numbers);
        for (let k = 0; k < clients; k++) ask(k);
        for (task = 0; task < tasks; task++) {
          const total = Array.from({ length: clients }, (_, k) => site.examples(task, k).length).reduce(
            (a, b) => a + b,
            0,
          );
          for (let update = 0; update < updates; update++) {
            const came = yield* gathered(me);
            // at each answer a client stands for all, in a buffer for its part of them
            const stands = every === "interval" ? 1 : clients / Math.max(1, came.length);
            for (const { client: from } of came) answered[from]!++;
            const shares = came.map((answer) => rate * Math.min(1, shareOf(answer, total) * stands));
            for (const [i, { delta }] of came.entries()) addTo(vector, delta, shares[i]!);
            version++;
            const staleness =
              came.reduce((sum, each) => sum + version - 1 - each.version, 0) / Math.max(1, came.length);
            const loss = came.reduce((sum, each) => sum + each.loss, 0) / Math.max(1, came.length);
            const now = vector.slice();
            site.updated(me, { update: version, loss, staleness, vector: () => now }, task);
            for (const { client: to } of came) ask(to);
          }
        }
      }

      /** The answers of one update. */
      function* gathered(me: Machine): Process<Answer[]> {
        const came: Answer[] = [];
        if (every === "interval") {
          yield* me.sleep(interval);
          for (let one = me.take<Answer>("update"); one !== undefined; one = me.take("update")) came.push(one.body);
        } else
          while (came.length < (every === "answer" ? 1 : Math.min(buffer, clients)))
            came.push((yield* me.receive<Answer>("update")).body);
        return came.sort((a, b) => a.client - b.client);
      }

      for (let k = 0; k < clients; k++) clock.spawn(k, client, { server: true });
      clock.spawn(server, serve);
      return { end: () => vector };
    };
  },
);
