/** Learners that ask: for labels in rounds, or for a teacher's answers. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { random, tf } from "../../lib/engine/index.ts";
import { activeDistil, cal } from "../../lib/strategies/index.ts";
import { drawn, robustDraw } from "../../lib/strategies/parts/robust-draw.ts";
import { typicalAndUncertain } from "../../lib/strategies/parts/typical.ts";
import { active, repeat, unlabel } from "../../lib/streams/operators/index.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { open } from "../../lib/train/session.ts";
import { training } from "../../lib/train/spec.ts";
import { readState } from "../../lib/train/state.ts";
import {
  close,
  contextOf,
  entropy,
  examplesOf,
  hooksOf,
  mean,
  normal,
  perceptron,
  small,
  softmax,
  stepOf,
} from "./by-hand.ts";
import { advance, run, spec } from "./support.ts";

const data = blobs({ classes: 3, dimensions: 3, perClass: 20, testPerClass: 10 });
const { net, weights } = small([5, 4], 2, 3);
const value = (loss: tf.Tensor): number => loss.dataSync()[0]!;

describe("P201: continual active learning", () => {
  const rounds = active(8)(repeat(4)(classes(data))) as unknown as Stream;

  test("asks for no example of the one pool twice, and trains on what a round has bought alone", () => {
    const given = spec(rounds, [cal({ pool: "one" }) as never], { training: training({ batch: 4, epochs: 1 }) });
    const session = open(given, 0, "test");
    const found = [0, 1, 2, 3].map((round) => {
      advance(session, 2 * round + 1);
      const { states } = readState(session.save(), given, 0);
      const { at, past } = states.cal as unknown as { at: Uint32Array; past: { size: number } | null };
      return { at: [...at], past: past?.size ?? 0 };
    });
    session.dispose();
    expect(new Set(found.flatMap(({ at }) => at)).size).toBe(32);
    expect(found.map(({ past }) => past)).toEqual([0, 8, 16, 24]);
    const { events } = run(
      spec(rounds, [cal({ pool: "one" }) as never], { training: training({ batch: 4, epochs: 1 }) }),
    );
    expect(events.filter((e) => e.type === "step")).toHaveLength(4 * 2);
    const all = run(
      spec(rounds, [cal({ pool: "one", past: "all" }) as never], { training: training({ batch: 4, epochs: 1 }) }),
    );
    expect(all.events.filter((e) => e.type === "step")).toHaveLength(2 + 4 + 6 + 8);
  });

  test("weighs the round and the past by their numbers, and the past by its labels and the logits that were", () => {
    const x = normal(5, 2, 7);
    const y = [0, 2, 1, 1, 2];
    const before = normal(2, 3, 9);
    const strategy = cal({ distil: 0.25 });
    const state = { tensors: { share: tf.scalar(0.3) } };
    const step = stepOf({
      net,
      weights,
      x,
      y,
      current: 3,
      weight: [1, 1, 1, 0, 0],
      rows: { cal: [3, 5] },
      extra: { logits: tf.tensor2d(before as number[][]) } as never,
    });
    const { logits } = perceptron(weights, x);
    const now = mean(logits.slice(0, 3).map((z, i) => entropy(z, y[i]!)));
    expect(value(hooksOf(strategy).taskLoss(state, step))).toBeCloseTo(0.3 * now, 5);
    const past = mean(logits.slice(3).map((z, i) => entropy(z, y[3 + i]!)));
    const apart = mean(logits.slice(3).flatMap((z, i) => z.map((v, c) => (v - before[i]![c]!) ** 2)));
    expect(value(hooksOf(strategy).loss(state, step))).toBeCloseTo(0.7 * (0.75 * past + 0.25 * apart), 4);
  });

  test("draws rows that stand for others and were uncertain, each the best next one", () => {
    const rows = normal(12, 3, 4).map((row) => row.map((v) => v / Math.hypot(...row)));
    const unsure = Float64Array.from(rows, (_, i) => ((i * 5) % 12) / 12);
    const places = Uint32Array.of(0, 2, 3, 5, 7, 8, 9, 11);
    const found = [...typicalAndUncertain(Float32Array.from(rows.flat()), unsure, places, 3)];
    const worth = (chosen: readonly number[]): number => {
      const near = (a: number, b: number): number => (1 + rows[a]!.reduce((s, v, j) => s + v * rows[b]![j]!, 0)) / 2;
      const most = Math.max(...[...places].map((i) => unsure[i]!));
      return (
        mean([...places].map((c) => Math.max(0, ...chosen.map((s) => near(c, s))))) +
        chosen.reduce((s, i) => s + unsure[i]! / most / 3, 0)
      );
    };
    for (let k = 0; k < 3; k++) {
      const best = Math.max(
        ...[...places].filter((i) => !found.slice(0, k).includes(i)).map((i) => worth([...found.slice(0, k), i])),
      );
      expect(worth(found.slice(0, k + 1))).toBeCloseTo(best, 5);
    }
  });
});

describe("P458: asking a teacher who errs", () => {
  const games = JSON.parse(readFileSync(new URL("peers/robust-draw.json", import.meta.url), "utf8")) as {
    gains: number[];
    mistakes: number;
    value: number;
  }[];

  test.each(games)("the draw has the value of the game that linear programming finds ($mistakes of $gains)", (game) => {
    const q = robustDraw(Float64Array.from(game.gains), game.mistakes);
    expect(q.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 10);
    // The worst mistakes are those about what was worth most.
    const worth = [...q].map((p, i) => p * game.gains[i]!).sort((a, b) => a - b);
    const least = worth.slice(0, worth.length - game.mistakes).reduce((a, b) => a + b, 0);
    expect(least).toBeCloseTo(game.value, 6);
  });

  test("places are drawn as often as the probabilities say, without repetition", () => {
    const q = Float64Array.of(0.5, 0.3, 0.2, 0);
    const first = [0, 0, 0, 0];
    for (let i = 0; i < 4000; i++) first[drawn(q, 1, random(i))[0]!]!++;
    expect(first.map((n) => n / 4000)[0]).toBeCloseTo(0.5, 1);
    expect(first[3]).toBe(0);
    expect(new Set(drawn(q, 4, random(1))).size).toBe(4);
  });

  test("labels are learnt as they are, answers as probabilities, and nothing else", () => {
    const x = normal(9, 2, 3);
    const labels = [0, -1, 1, -1, -1, 2, -1, -1, -1];
    const train = examplesOf(x, labels);
    const strategy = activeDistil({ questions: 2, by: "entropy" });
    const hooks = hooksOf(strategy);
    const context = contextOf(net, weights, {});
    const begun = hooks.beforeExperience(hooks.init(context), { train, task: 0, index: 0 } as never, context) as {
      at: Uint32Array;
      wanted: Float32Array;
    };
    const p = perceptron(weights, x).logits.map((z) => softmax(z));
    const unsure = p.map((row) => -row.reduce((s, v) => s + v * Math.log(v), 0));
    const asked = [...labels.keys()]
      .filter((i) => labels[i]! < 0)
      .sort((a, b) => unsure[b]! - unsure[a]!)
      .slice(0, 2);
    expect([...begun.at]).toEqual([0, 2, 5, ...asked].sort((a, b) => a - b));
    const rows = [...begun.at];
    const wanted = rows.map((i) => (labels[i]! < 0 ? p[i]! : [0, 1, 2].map((c) => (c === labels[i] ? 1 : 0))));
    close([...begun.wanted], wanted.flat(), 5);
    const step = stepOf({
      net,
      weights,
      x: rows.map((i) => x[i]!),
      y: rows.map((i) => Math.max(0, labels[i]!)),
      extra: { wanted: tf.tensor2d(begun.wanted, [rows.length, 3]) } as never,
    });
    const loss = mean(rows.map((i, k) => -wanted[k]!.reduce((s, t, c) => s + t * Math.log(p[i]![c]!), 0)));
    expect(value(hooks.taskLoss(begun, step))).toBeCloseTo(loss, 5);
  });

  test("answers about the one pool are kept from experience to experience", () => {
    const pool = repeat(3)(unlabel(0.9)(classes(data))) as unknown as Stream;
    const { events } = run(
      spec(pool, [activeDistil({ questions: 10, pool: "one" }) as never], {
        training: training({ batch: 1, epochs: 1 }),
      }),
    );
    const steps = [0, 1, 2].map((k) => events.filter((e) => e.type === "step" && e.experience === k).length);
    expect(steps[1]! - steps[0]!).toBe(10);
    expect(steps[2]! - steps[1]!).toBe(10);
  });
});
