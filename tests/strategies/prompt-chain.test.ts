import { describe, expect, test } from "vitest";
import { copying } from "../../lib/data/copying.ts";
import { cloneTree, leaves, random, type Tree, tf } from "../../lib/engine/index.ts";
import { gpt } from "../../lib/models/index.ts";
import { type Params, tape } from "../../lib/models/model.ts";
import { network, type Weights } from "../../lib/models/network.ts";
import { promptChain } from "../../lib/strategies/index.ts";
import type { Pass } from "../../lib/strategies/strategy.ts";
import { sequence } from "../../lib/streams/sources/sequence.ts";
import { open } from "../../lib/train/session.ts";
import { contextOf, hooksOf, noisy, stepOf } from "./by-hand.ts";
import { advance, spec } from "./support.ts";

describe("promptChain (P098 FTHSS)", () => {
  const [segments, length, columns] = [[3, 2, 2], 2, 5];
  const model = gpt({ tokens: 5, width: 8, depth: 2, heads: 2, positions: "rotary" });
  const net = network(model, [7]);
  const weights = noisy(net.init(random(1), columns), random(2));
  const x = tf.tensor2d([
    [0, 1, 2, 3, 4, 0, 1],
    [4, 3, 0, 0, 2, 1, 1],
  ]);
  const strategy = promptChain({ length, segments });
  const state = { tensors: { stages: tf.tensor3d([1, 0], [2, 1, 1]), places: tf.tensor2d([[0, 0, 0, 1, 1, 0, 0]]) } };
  const prompts = [random(5).normals([1, length, 8]), random(6).normals([1, length, 8])] as tf.Tensor3D[];
  const withPrompt = (prompt: tf.Tensor): Weights =>
    ({ ...weights, added: { promptChain: { prompt } } }) as unknown as Weights;
  const logits = (all: readonly tf.Tensor3D[], places = x, by = strategy): number[][][] => {
    const prompt = tf.concat([...all], 0);
    const own = network(model, [places.shape[1]!]);
    return stepOf({
      net: own,
      weights: withPrompt(prompt),
      x: places,
      through: { strategy: by, state },
    }).logits.arraySync() as number[][][];
  };
  const part = (of: number[][][], from: number, to: number): number[] =>
    of.flatMap((row) => row.slice(from, to).flat());

  test("who sees whom is as the authors' masks have it", () => {
    let seen: tf.Tensor | undefined;
    const plain = (within: {
      attended: (path: string[], key: tf.Tensor, value: tf.Tensor) => readonly tf.Tensor[];
    }) => {
      const attended = (path: string[], key: tf.Tensor, value: tf.Tensor) => {
        const all = within.attended(path, key, value);
        seen = all[2];
        return all;
      };
      model.apply(weights.model, x, tape(false, null, {}, { ...within, attended } as never).mode);
      return {};
    };
    const pass = { network: net, weights: withPrompt(tf.concat(prompts, 0)), plain } as unknown as Pass;
    hooksOf(strategy).forward(state, pass);
    // columns: P_A P_A P_B P_B I I I A A B B; what comes later is hidden by the network itself
    const [promptA, promptB] = ["11000000000", "00110000000"];
    const [input, first, second] = ["00001111111", "11001111111", "00111111111"];
    const wanted = [promptA, promptA, promptB, promptB, input, input, input, first, first, second, second];
    const found = (seen!.arraySync() as number[][]).map((row) => row.map((v) => (v === 0 ? "1" : "0")).join(""));
    expect(found).toEqual(wanted);
  });

  test("the input is as without prompts, and an output as without the stages after it", () => {
    const [whole, other] = [logits(prompts), logits([prompts[0]!, random(9).normals([1, length, 8]) as tf.Tensor3D])];
    expect(part(other, 0, 5)).toEqual(part(whole, 0, 5));
    expect(part(other, 5, 7)).not.toEqual(part(whole, 5, 7));
    const first = logits([random(9).normals([1, length, 8]) as tf.Tensor3D, prompts[1]!]);
    expect(part(first, 0, 3)).toEqual(part(whole, 0, 3));
    expect(part(first, 3, 5)).not.toEqual(part(whole, 3, 5));
    expect(part(first, 5, 7)).not.toEqual(part(whole, 5, 7));
    const alone = stepOf({ net, weights, x }).logits.arraySync() as number[][][];
    // without positions but for distances, an input that sees no prompt is what it is alone
    for (const [i, v] of part(alone, 0, 3).entries()) expect(part(whole, 0, 3)[i]).toBeCloseTo(v, 4);
    const short = logits(prompts, tf.slice(x, [0, 0], [2, 5]), promptChain({ length, segments }));
    for (const [i, v] of part(short, 3, 5).entries()) expect(part(whole, 3, 5)[i]).toBeCloseTo(v, 4);
  });

  test("without segments a prompt is vectors before the sequence, seen from everywhere", () => {
    const by = promptChain({ length });
    const ours = logits([prompts[0]!], x, by);
    const tokens = (weights.model.embedding as { tokens: { kernel: tf.Tensor2D } }).tokens.kernel;
    const embedded = tf.gather(tokens, tf.cast(x, "int32"));
    const joined = tf.concat([tf.tile(prompts[0]!, [2, 1, 1]), embedded], 1);
    // the network on vectors in place of tokens
    const { mode } = tape(
      false,
      null,
      {},
      {
        around: (path, given, run) => (path.join("/") === "model/embedding" ? joined : run(given)),
      },
    );
    const features = model.apply(weights.model, x, mode);
    const wanted = net.logits(weights, tf.slice(features, [0, length, 0], [2, 7, 8])).arraySync() as number[][][];
    for (const [i, v] of wanted.flat(2).entries()) expect(ours.flat(2)[i]).toBeCloseTo(v, 4);
  });

  test("an experience trains its stage's prompt by its places alone", () => {
    const hooks = hooksOf(strategy);
    const at = withPrompt(tf.concat(prompts, 0));
    const step = {
      ...stepOf({ net, weights: at, x, through: { strategy, state } }),
      target: "tokens" as const,
      targets: tf.tensor2d([
        [1, 2, 3, 4, 0, 1, 2],
        [3, 0, 0, -1, 1, 1, 0],
      ]),
      targetLoss: (of: { targets: tf.Tensor }) => tf.scalar(0).add(of.targets.sum()),
    };
    // of the targets those of the first output are left, and −1 at the other eleven places
    expect(hooks.taskLoss(state, step as never).dataSync()[0]).toBe(4 + 0 - 1 + 1 - 10);
    const slope = { ...at, added: { promptChain: { prompt: tf.ones([2, length, 8]) } } } as unknown as Weights;
    const promptIn = (of: Weights): number[] => [
      ...(of.added!.promptChain as Params as { prompt: tf.Tensor }).prompt.dataSync(),
    ];
    const kept = promptIn(hooks.gradient(state, slope, step as never));
    expect(kept).toEqual([...new Array(16).fill(1), ...new Array(16).fill(0)]);
    const moved = promptIn(hooks.weights(state, { before: at, after: slope } as never, step as never));
    expect(moved.slice(0, 16)).toEqual(new Array(16).fill(1));
    expect(moved.slice(16)).toEqual(promptIn(at).slice(16));
  });

  test("prompts alone are trained where the head is frozen as well", () => {
    const data = copying({ length: 3, symbols: 3, examples: 12, testExamples: 4 });
    const given = spec(sequence(data, 2) as never, [promptChain({ length: 2, segments: [4, 1, 1] })], {
      model: gpt({ tokens: 5, width: 8, depth: 1, heads: 2 }).freeze("head") as never,
    });
    const session = open(given, 1, "test");
    advance(session, 1);
    const copy = (): Weights => cloneTree(session.learner.weights);
    const numbers = (of: unknown): string[] => leaves(of as Tree).map((t) => String((t as tf.Tensor).dataSync()));
    const before = copy();
    advance(session, 100);
    const after = copy();
    expect(numbers([after.model, after.head])).toEqual(numbers([before.model, before.head]));
    expect(numbers(after.added)).not.toEqual(numbers(before.added));
    session.dispose();
  });

  test("says what it needs", () => {
    expect(() => promptChain({ segments: [4] })).toThrow("promptChain: segments of an input and one output at least");
    const hooks = hooksOf(promptChain({ segments: [3, 3] }));
    expect(() => hooks.parameters(contextOf(net, weights, { columns }))).toThrow(
      "promptChain: segments of 7 places together are required, as the sequences have, got [3,3], which are 6",
    );
    expect(() => hooksOf(strategy).beforeExperience(state, { index: 2 } as never, contextOf(net, weights))).toThrow(
      "promptChain: as many experiences as stages are required, 2, got a further one",
    );
  });
});
