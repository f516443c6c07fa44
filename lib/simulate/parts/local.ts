/** A client's turn: some passes over its own examples. */
import type { Examples } from "../../data/dataset.ts";
import { plan } from "../../train/plan.ts";
import type { Replica, Trainer } from "./trainer.ts";

/** What a client is asked for. */
export interface Turn {
  /** Where it begins: weights, with running statistics or without. */
  readonly from: Float32Array;
  readonly examples: Examples;
  readonly task: number;
  readonly client: number;
  /** A number that no other turn of the client has. */
  readonly turn: number;
  /** Passes over its examples; default the study's. */
  readonly epochs?: number;
  /** Steps in place of passes. */
  readonly steps?: number;
  /** What the gradient is exchanged for before the optimizer sees it, given the weights it was computed at. */
  readonly direction?: (gradient: Float32Array, weights: Float32Array) => Float32Array;
}

/** What a turn came to. */
export interface Trained {
  readonly vector: Float32Array;
  /** The mean loss of its steps. */
  readonly loss: number;
  readonly steps: number;
  readonly examples: number;
}

/** Turns of all clients, with one learner whose optimizer begins anew each time. */
export function localTraining(trainer: Trainer): { turn(of: Turn): Trained; dispose(): void } {
  const { training, schedule, optimizer } = trainer.spec;
  const replicas = new Map<number, Replica>();
  let taken = 0;
  const learner = (): Replica => {
    const found = replicas.get(0) ?? trainer.replica(0);
    replicas.set(0, found);
    return found;
  };
  return {
    turn({ from, examples, task, client, turn, epochs = training.epochs, steps = training.steps, direction }) {
      const own = learner();
      own.place(from, { fresh: true });
      const order = trainer.root.at("client", client, turn);
      const path = plan(examples, task, { ...training, epochs, steps }, schedule, turn, order);
      let sum = 0;
      for (let k = 0; !path.done(k); k++) {
        const next = path.next(k, taken++)!;
        const [batch] = next.batches as [(typeof next.batches)[number]];
        const rate = optimizer.rate * next.factor;
        const pass = { batch, rate, moment: next.moment, part: 0, share: 1, last: true };
        if (direction === undefined) sum += own.step(pass);
        else {
          const { loss, gradient } = own.gradient(pass);
          own.update(direction(gradient, own.vector()), rate);
          sum += loss;
        }
      }
      return {
        vector: own.vector(),
        loss: sum / Math.max(1, path.steps),
        steps: path.steps,
        examples: examples.length,
      };
    },
    dispose() {
      for (const replica of replicas.values()) replica.dispose();
    },
  };
}

/** What is made of a value, also where it is still coming. */
export function after<A, B>(value: A | Promise<A>, then: (value: A) => B): B | Promise<B> {
  return value instanceof Promise ? value.then(then) : then(value);
}
