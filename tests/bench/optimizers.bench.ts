/**
 * Processor time of a training step with each optimizer, one thread, beside PyTorch's (foreach) and pytorch_optimizer's, in turns; and the
 * numbers that each keeps beside the weights. `npm run bench -- optimizers`, some minutes; `npx tsx tests/bench/optimizers.bench.ts adam lion`
 * measures some alone.
 *
 * THALWEG_BENCH_PYTHON names a python with torch and pytorch_optimizer; without it only this library is timed.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { target } from "../../lib/engine/graph/target.ts";
import { leaves, steps, type Tree, tf } from "../../lib/engine/index.ts";
import { random } from "../../lib/engine/random.ts";
import type { Optimizer, Seen } from "../../lib/optim/optimizer.ts";
import * as optimizers from "../../lib/optim/optimizers/index.ts";
import { batch, mlp, type Program, type State, trainer, vit } from "../engine/support.ts";
import { record, reference } from "../support/reference.ts";

target.threads = 1;
const cases: Record<string, { readonly program: Program; readonly batch: number; readonly runs: number }> = {
  mlp: { program: mlp([784, 400, 400, 10]), batch: 64, runs: 20 },
  vit: { program: vit(), batch: 10, runs: 10 },
};
const options: Record<string, object> = { sgd: { momentum: 0.9 }, scheduleFreeSgd: { lr: 1e-3 } };
/** Those that ask to see more of a step than its gradients are measured with a network of the library's own, not here. */
const makes = Object.entries(optimizers as unknown as Record<string, ((options: object) => Optimizer) | undefined>)
  .filter(([, make]) => typeof make === "function")
  .map(([name, make]) => [name, make!(options[name] ?? {})] as const)
  .filter(([name]) => process.argv.length < 3 || process.argv.includes(name))
  .filter(([, { sees }]) => sees === undefined || sees.every((sight) => sight === "noise"));
const blind = { task: null, layers: {}, rng: null } as unknown as Seen;

const python = process.env.THALWEG_BENCH_PYTHON;
const peer = python && spawn(python, [new URL("./optimizers.torch.py", import.meta.url).pathname]);
const answers = peer ? createInterface({ input: peer.stdout })[Symbol.asyncIterator]() : undefined;
const version = answers ? String((await answers.next()).value) : null;
const theirs = async (line: string): Promise<number> => {
  if (!peer || !answers) return Number.NaN;
  peer.stdin.write(`${line}\n`);
  return Number((await answers.next()).value);
};
const now = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

type Figures = Record<string, Record<string, number | null>>;
const figures: Figures = { ...(reference()["optimizers, speed"] as { figures?: Figures } | undefined)?.figures };
for (const [name, made] of makes) {
  const own: Record<string, number | null> = {};
  for (const [kind, { program, batch: rows, runs }] of Object.entries(cases)) {
    const rule = {
      init: (params: object) => made.init(params as Tree),
      update(grads: object, state: object, params: object, rate: tf.Tensor) {
        const [updates, next] = made.update(grads as Tree, state as Tree, params as Tree, rate, blind);
        const moved = Object.entries(params).map(([key, w]) => [
          key,
          tf.add(w, (updates as Record<string, tf.Tensor>)[key]!),
        ]);
        return [Object.fromEntries(moved), next];
      },
    };
    const step = trainer(program, rule as never);
    type In = { readonly x: tf.Tensor; readonly y: tf.Tensor; readonly rate: tf.Tensor };
    const many = steps((state: State, inputs: In) => step(state, inputs, null, inputs.rate), { name: "step" });
    const one = batch(program, rows, 1);
    const stacked = {
      x: tf.tile(tf.expandDims(one.x, 0), [runs, ...one.x.shape.map(() => 1)]),
      y: tf.tile(tf.expandDims(one.y, 0), [runs, 1]),
      rate: tf.fill([runs], 1e-4),
    };
    const params = program.init(random(1).at("init"));
    let state = { params, slots: made.init(params as Tree) } as unknown as State;
    const numbers = (tree: unknown): number => leaves<tf.Tensor>(tree).reduce((sum, t) => sum + t.size, 0);
    own[`kept per weight, ${kind}`] = Number((numbers(state.slots) / numbers(params)).toFixed(3));
    const run = (): void => {
      const [next, losses] = many(state, stacked, null as never);
      losses.dataSync();
      tf.dispose([state as unknown as tf.TensorContainer, losses]);
      state = next;
    };
    run();
    const [ours, others]: [number[], number[]] = [[], []];
    for (let round = 0; round < 3; round++) {
      const began = now();
      run();
      ours.push((now() - began) / runs);
      others.push(await theirs(`${kind} ${name} ${runs}`));
    }
    const [mine, best] = [Math.min(...ours), Math.min(...others)];
    own[`ms, ${kind}`] = Number(mine.toFixed(3));
    own[`times PyTorch's, ${kind}`] = Number.isNaN(best) ? null : Number((mine / best).toFixed(2));
    tf.dispose([state as unknown as tf.TensorContainer, one.x, one.y, stacked]);
  }
  figures[name] = own;
  console.log(name.padEnd(18), JSON.stringify(own));
  if (version !== null)
    record("optimizers, speed", { unit: "ms of processor time per step, one thread", torch: version, figures });
}
if (peer) peer.kill();
