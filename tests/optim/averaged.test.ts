import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { jit, type Tree, tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import {
  applyUpdates,
  chain,
  clip,
  ema,
  groups,
  type Optimizer,
  perpGrad,
  sam,
  scheduleFreeSgd,
  sgd,
  swa,
} from "../../lib/optim/index.ts";
import * as optimizers from "../../lib/optim/optimizers/index.ts";
import { trainedNetwork } from "../../lib/runs/trained-network.ts";
import { tent } from "../../lib/strategies/index.ts";
import { fitted } from "../../lib/train/parts/trained.ts";
import { open } from "../../lib/train/session.ts";
import { advance, numbers, run, spec, stream } from "../strategies/support.ts";
import { blind } from "./support.ts";

type Numbers = { readonly kernel: number[]; readonly bias: number[] };
type Weights = { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`./peers/${name}.json`, import.meta.url), "utf8"));
const problem = read("torch") as { readonly [part in "start" | "target" | "noise" | "curvature"]: Numbers };
const peers = read("more") as Record<
  string,
  { readonly options: object; readonly weights: Numbers; readonly shown?: Numbers }
>;
const tree = ({ kernel, bias }: Numbers): Weights => ({ kernel: tf.tensor2d(kernel, [4, 3]), bias: tf.tensor1d(bias) });
const told = stream({ needs: [] } as never);

/** Roots by products alone come to the rounding of single precision times the condition of the sums. */
const within = (name: string): number => (/shampoo|soap|galore|frugal/.test(name) ? 5e-5 : 2e-6);

function made(name: string, options: object): Optimizer {
  const base = sgd({ lr: 0.2, momentum: 0.5 });
  if (name === "ema") return ema(base, options);
  if (name === "swa") return swa(base, options);
  if (name === "perpGrad") return chain(perpGrad(), sgd(options));
  return (optimizers as unknown as Record<string, (options: object) => Optimizer>)[name.split(" ")[0]!]!(options);
}

/** Weights after twenty steps, and the state. */
function after(optimizer: Optimizer): readonly [Weights, Tree] {
  const [target, noise, curvature] = [tree(problem.target), tree(problem.noise), tree(problem.curvature)];
  const slope = (w: Weights, far: tf.Tensor): Weights => {
    const of = (part: "kernel" | "bias"): tf.Tensor =>
      tf.add(tf.mul(curvature[part], tf.sub(w[part], target[part])), tf.mul(noise[part], far));
    return { kernel: of("kernel"), bias: of("bias") };
  };
  const step = jit((w: Weights, state: Tree, far: tf.Tensor, task: tf.Tensor) => {
    const seen = { ...blind, task, gradient: (at: Tree) => slope(at as Weights, far) as Tree };
    const [updates, next] = optimizer.update(slope(w, far), state, w, tf.scalar(optimizer.rate), seen);
    return [applyUpdates(w, updates as Weights), next] as const;
  });
  let w = tree(problem.start);
  let state = optimizer.init(w);
  for (let at = 0; at < 20; at++)
    [w, state] = step(w, state, tf.scalar(Math.sin(at)), tf.tensor1d([at < 9 ? 0 : 1], "int32"));
  return [w, state];
}

describe("twenty steps lead where those of PyTorch, the authors' programs and the papers' algorithms do", () => {
  test.each(Object.entries(peers))("%s", (name, { options, weights, shown }) => {
    const optimizer = made(name, options);
    const [w, state] = after(optimizer);
    const compare = (ours: Weights, theirs: Numbers): void => {
      for (const part of ["kernel", "bias"] as const)
        for (const [i, value] of [...ours[part].dataSync()].entries())
          expect(Math.abs(value - theirs[part][i]!)).toBeLessThan(within(name));
    };
    compare(w, weights);
    expect(optimizer.shown === undefined).toBe(shown === undefined);
    if (shown !== undefined) compare(optimizer.shown!(w, state) as Weights, shown);
  });
});

test("asam looks farther along large weights: for ½‖w‖² at (3, 4), radius 1, that is w + w² w / ‖w²‖", () => {
  const w = { w: tf.tensor1d([3, 4]) };
  const optimizer = sam(sgd({ lr: 1 }), { radius: 1, adaptive: true });
  const [updates] = optimizer.update(w, [], w, tf.scalar(1), blind) as [typeof w, Tree];
  // |w| g = (9, 16), of length √337; w² g = (27, 64)
  const far = Math.sqrt(337);
  expect([...updates.w.dataSync()]).toEqual([expect.closeTo(-3 - 27 / far, 5), expect.closeTo(-4 - 64 / far, 5)]);
});

describe("an optimizer that averages", () => {
  const averaged: readonly (readonly [string, Optimizer])[] = [
    ["ema", ema(sgd({ lr: 0.05 }), { decay: 0.9 })],
    [
      "scheduleFreeSgd in groups and a chain",
      groups(["head", chain(clip(1), scheduleFreeSgd({ lr: 0.1 }))], sgd({ lr: 0.1 })),
    ],
  ];
  test.each(averaged)(
    "%s is evaluated and saved by its average, resumes bit for bit, and leaves no tensor",
    async (_, optimizer) => {
      const given = spec(told, [], { optimizer, model: mlp({ hidden: [6, 5] }).freeze("2-dense") });
      const all = run(given, 1);
      const session = open(given, 1, "test");
      advance(session, 8);
      const bytes = session.save();
      const tensors = tf.memory().numTensors;
      const events = advance(session);
      expect(tf.memory().numTensors).toBe(tensors);
      const { weights, optimizer: state } = session.learner;
      const shown = fitted(optimizer, session.network).shown!(weights as unknown as Tree, state);
      expect(numbers(shown)).not.toEqual(numbers(weights));
      const network = trainedNetwork(given, 1, session.save());
      expect(numbers(network.weights)).toEqual(numbers(shown));
      const last = events
        .flatMap((event) => (event.type === "evaluated" && event.at === "experience" ? [event] : []))
        .at(-1)!;
      const { examples } = told.test(last.on);
      const x = tf.tensor(gather(examples, Uint32Array.from(examples.labels.keys())), [
        examples.length,
        ...examples.shape,
      ]);
      const columns = tf.argMax(network.predict(x), -1).dataSync();
      const right = [...columns].filter((column, i) => column === examples.labels[i]).length;
      expect(last.accuracy).toBeCloseTo(right / examples.length, 6);
      session.dispose();
      expect(run(given, 1, bytes).weights).toEqual(all.weights);
    },
  );

  test("is refused around another one, and where learning at test time would take the place of what is trained", () => {
    expect(() => ema(swa(sgd()))).toThrow("ema: an optimizer that does not average is required, got swa");
    expect(() => chain(ema(sgd()), clip(1))).toThrow("chain: ema as the last part is required");
    const given = spec(told, [tent({ reset: "never" })], { optimizer: ema(sgd()) });
    expect(() => open(given, 0, "test")).toThrow(
      "tent: an optimizer whose weights predict is required where nothing is reset, got ema",
    );
  });
});
