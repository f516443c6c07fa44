/** Things that could not be said before: each in about twenty lines, as a user would write it. */
import {
  blobs,
  classes,
  crossEntropies,
  experience,
  from,
  fromText,
  gather,
  mapTensors,
  mlp,
  net,
  type Passed,
  phases,
  regression,
  replay,
  scoped,
  sequence,
  sgd,
  strategy,
  type TrainEvent,
  tape,
  task,
  tf,
  valueAndGrad,
} from "thalweg";
import { expect, test } from "vitest";
import { numbers } from "../strategies/support.ts";

const quiet = { quiet: true, record: false } as const;
const few = () => classes(blobs({ classes: 4, dimensions: 6, perClass: 30 })).split(2);

test("a strategy trains the input and leaves the network as it is", async () => {
  // A x + δ in every pass, A and δ trained; the network itself stays as it began (reprogramming, Elsayed et al. 2019).
  const inputTuning = strategy("inputTuning", {}, () => ({
    parameters: ({ network }) => ({ delta: tf.zeros([1, ...network.input]), kernel: tf.eye(network.input[0]!) }),
    forward(_state, { x, weights, plain }): Passed {
      const { delta, kernel } = weights.added!.inputTuning as { delta: tf.Tensor; kernel: tf.Tensor2D };
      return plain({ x: tf.add(tf.matMul(x as tf.Tensor2D, kernel), delta) });
    },
    weights: (_state, { before, after }) => ({ ...before, added: after.added! }),
  }));
  const fitting = classes(blobs({ classes: 2, dimensions: 6, perClass: 30 }))
    .split(1)
    .learn(mlp({ hidden: [16] }))
    .by(inputTuning())
    .with(sgd({ lr: 0.1 }))
    .train({ epochs: 20 })
    .fit();
  const kernels: string[] = [];
  const accuracies: number[] = [];
  for await (const event of fitting)
    if (event.type === "evaluated" && event.at !== "step") {
      kernels.push(JSON.stringify(numbers(fitting.session.learner.weights.model)));
      accuracies.push(event.accuracy);
    }
  fitting.dispose();
  expect(new Set(kernels).size).toBe(1);
  expect(accuracies[0]).toBeLessThan(0.8);
  expect(accuracies.at(-1)).toBeGreaterThan(0.95);
});

test("a run stops at a place, and a branch of it cools down", async () => {
  const study = few()
    .learn(mlp({ hidden: [16] }))
    .with(sgd({ lr: 0.1 }));
  const stem = await study.run({ ...quiet, until: task(1).step(3) });
  const branch = await stem.at(task(1).step(3)).fork({ optimizer: sgd({ lr: 0.01 }) }, { until: task(1).step(5) });
  const steps = branch.logs[0]!.events.filter(({ type }) => type === "step");
  expect(steps).toHaveLength(6 + 5);
});

test("a study begins from what another has trained, as its second phase", async () => {
  const two = phases({
    pretrain: few()
      .slice(0, 1)
      .learn(mlp({ hidden: [16] })),
    finetune: (network) => few().slice(1, 2).learn(from(network).freeze("*")).train({ steps: 5 }),
  });
  const run = await two.run(quiet);
  expect(
    run
      .summary()
      .rows()
      .map(({ phase }) => phase),
  ).toContain("finetune");
  const [before, after] = [await run.phases[0]!.network(), await run.network()];
  expect(numbers(after.weights.model)).toEqual(numbers(before.weights.model));
  for (const network of [before, after]) network.dispose();
});

test("a learner adapts to what it predicts: a running mean of the test inputs is taken away", async () => {
  const centred = strategy("centred", {}, () => ({
    adapting: { batch: 20, reset: "task", shuffle: false },
    init: ({ network }) => ({ carried: { mean: tf.zeros([1, ...network.input]), seen: tf.scalar(0) } }),
    adapt({ carried }, { x, forward }) {
      const seen = tf.add(carried.seen, x.shape[0]!);
      const mean = tf.div(tf.add(tf.mul(carried.mean, carried.seen), tf.sum(x, 0, true)), seen);
      return { logits: forward(tf.sub(x, mean)).logits, carried: { mean, seen } };
    },
  }));
  const data = blobs({ classes: 2, dimensions: 6, perClass: 60, testPerClass: 40 });
  const study = classes(data)
    .split(1)
    .learn(mlp({ hidden: [16] }))
    .train({ epochs: 3 });
  const evaluated = (run: { logs: readonly { events: readonly TrainEvent[] }[] }) =>
    run.logs[0]!.events.flatMap((event) => (event.type === "evaluated" && event.at === "experience" ? [event] : []));
  const [own] = evaluated(await study.by(centred()).run(quiet));
  expect(own!.online!.map(({ examples }) => examples)).toEqual([20, 20, 20, 20]);
  expect(evaluated(await study.by(centred()).run(quiet))).toEqual([own]);
});

test("a strategy climbs the loss of what it is asked to forget, as far as a bound", async () => {
  const ascent = strategy("ascent", { rate: 0.05, most: 3 }, ({ rate, most }) => ({
    forget(state, { examples }, { network, weights, statistics }) {
      const x = tf.tensor(gather(examples, [...examples.labels.keys()]), [examples.length, ...examples.shape]);
      const y = tf.tensor1d(Int32Array.from(examples.labels), "int32");
      const loss = (at: typeof weights) =>
        tf.mean(crossEntropies(network.logits(at, network.features(at, x, tape(false, null, statistics).mode)), y));
      const next = scoped(() => {
        let now = weights;
        for (let step = 0; step < 200; step++) {
          const { value, grads } = valueAndGrad(loss, now);
          if (value.dataSync()[0]! > most) break;
          now = mapTensors((w, g) => tf.add(w, tf.mul(g!, rate)), now, grads);
        }
        return mapTensors((w) => w.clone(), now);
      });
      tf.dispose([x, y]);
      return { ...state, weights: next };
    },
  }));
  const stream = classes(blobs({ classes: 4, dimensions: 6, perClass: 40 }))
    .split(1)
    .repeat(2)
    .forget(["0"], { at: 1 });
  const study = stream
    .learn(mlp({ hidden: [16] }))
    .with(sgd({ lr: 0.1 }))
    .train({ epochs: 20 });
  const last = async (own: ReturnType<typeof ascent>[]) => {
    const run = await study.by(...(own as never[])).run({ ...quiet, until: experience(1).step(1) });
    const network = await run.network();
    const { examples } = stream.test(0);
    const all = [...examples.labels.keys()].filter((i) => examples.labels[i] === 0);
    const best = tf.tidy(() => [
      ...tf.argMax(network.predict(tf.tensor(gather(examples, all), [all.length, 6])), -1).dataSync(),
    ]);
    network.dispose();
    return best.filter((column) => column === 0).length / all.length;
  };
  expect(await last([])).toBeGreaterThan(0.8);
  expect(await last([ascent()])).toBeLessThan(0.2);
});

test("a memory replays sequences of tokens, and numbers", async () => {
  const text = sequence(fromText(`${"abcde".repeat(40)}${"edcba".repeat(40)}`, { length: 4 }), 2);
  const study = text
    .learn(net().embedding(5, 8) as never)
    .with(sgd({ lr: 1 }))
    .train({ epochs: 10, batch: 5 });
  const losses = async (own: readonly unknown[]) =>
    (await study.by(...(own as never[])).run(quiet)).logs[0]!.events.flatMap((e) =>
      e.type === "step" ? [e.loss] : [],
    );
  const [plain, replayed] = [await losses([]), await losses([replay({ capacity: 40 })])];
  // what the second piece says goes against the first, which is still there to be learnt
  expect(replayed.at(-1)!).toBeGreaterThan(plain.at(-1)! + 0.1);
  const numbersToo = regression({ examples: 40, experiences: 2 }).learn(mlp({ hidden: [8] }));
  const run = await numbersToo.by(replay({ capacity: 20 })).run(quiet);
  expect(run.logs[0]!.events.at(-1)!.type).toBe("finished");
});
