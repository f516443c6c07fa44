/** Rounds of a server with clients: who is asked, what comes back, and what the server makes of it. */

import type { FederatedProgram, Federation } from "../clients.ts";
import type { Machine, Process } from "../clock.ts";
import { type Codec, withFeedback } from "../codec.ts";
import { after, type Trained, type Turn } from "./local.ts";
import { addTo, minus } from "./vectors.ts";

/** How rounds go. */
export interface RoundOptions {
  readonly rounds: number;
  readonly share: number;
  /** Seconds; 0 waits for all. */
  readonly deadline: number;
  readonly codec: Codec | null;
}

/** An answer as the server has it: the way the client went, and what else it sends. */
export interface Answer {
  readonly client: number;
  readonly delta: Float32Array;
  readonly examples: number;
  readonly loss: number;
  readonly more?: Float32Array;
}

/** What is particular to a program. */
export interface Rules {
  /** What a client does besides plain training from these weights. */
  turn(from: Float32Array, client: number): Pick<Turn, "direction">;
  /** What a client sends besides, made when its turn is over. */
  more?(trained: Trained, from: Float32Array, client: number): Float32Array;
  /** Bytes that the server sends with its weights. */
  readonly extraBytes?: number;
  /** The server's weights after a round: from those before, the weighted mean of the ways, and all answers. */
  next(server: Float32Array, mean: Float32Array, answers: readonly Answer[]): Float32Array;
}

interface Asked {
  readonly from: Float32Array;
  readonly task: number;
  readonly turn: number;
}

/** Starts server and clients. */
export function rounds(
  site: Federation,
  { rounds: count, share, deadline, codec }: RoundOptions,
  rules: Rules,
): ReturnType<FederatedProgram["start"]> {
  const { clients, server, tasks, clock, trainer, rng, updated } = site;
  const first = trainer.replica(0);
  let vector = first.vector();
  first.dispose();

  function* client(me: Machine): Process {
    const code = withFeedback(codec, trainer.layers, trainer.root.at("codec", me.index));
    for (;;) {
      const { body } = yield* me.receive<Asked>("weights");
      const examples = site.examples(body.task, me.index);
      if (site.loses(me.index, body.turn)) continue;
      const took = site.seconds(me.index, examples.length * trainer.spec.training.epochs, body.turn);
      const from = { ...body, examples, client: me.index, ...rules.turn(body.from, me.index) };
      const answer = yield* me.work(took, "train", () =>
        after(site.local(from), (trained): Answer & { readonly bytes: number } => {
          const way = minus(trained.vector, body.from);
          const { vector: weights, bytes } = code(way.subarray(0, trainer.weights));
          way.set(weights);
          const more = rules.more?.(trained, body.from, me.index);
          const rest = 4 * (trainer.numbers - trainer.weights + (more?.length ?? 0));
          const own = { client: me.index, delta: way, examples: trained.examples, loss: trained.loss };
          return { ...own, ...(more && { more }), bytes: bytes + rest };
        }),
      );
      me.send(server, `update#${body.turn}`, answer, answer.bytes);
    }
  }

  function* serve(me: Machine): Process {
    const bytes = 4 * trainer.numbers + (rules.extraBytes ?? 0);
    for (let round = 0; round < tasks * count; round++) {
      const task = Math.floor(round / count);
      const asked = [...rng.at("asked", round).sample(clients, Math.max(1, Math.round(share * clients)))].sort(
        (a, b) => a - b,
      );
      for (const each of asked) me.send(each, "weights", { from: vector, task, turn: round } satisfies Asked, bytes);
      const expected = asked.filter((each) => !site.loses(each, round)).length;
      const answers: Answer[] = [];
      if (deadline > 0) {
        yield* me.sleep(deadline);
        for (let one = me.take<Answer>(`update#${round}`); one !== undefined; one = me.take(`update#${round}`))
          answers.push(one.body);
      } else while (answers.length < expected) answers.push((yield* me.receive<Answer>(`update#${round}`)).body);
      answers.sort((a, b) => a.client - b.client);
      const examples = answers.reduce((sum, answer) => sum + answer.examples, 0);
      const mean = new Float32Array(trainer.numbers);
      for (const { delta, examples: own } of answers) addTo(mean, delta, own / examples);
      if (answers.length > 0) vector = rules.next(vector.slice(), mean, answers);
      const loss = answers.reduce((sum, answer) => sum + (answer.loss * answer.examples) / examples, 0);
      updated(me, { update: round + 1, loss, vector: () => vector }, task);
    }
  }
  for (let k = 0; k < clients; k++) clock.spawn(k, client, { server: true });
  clock.spawn(server, serve);
  return { end: () => vector };
}
