import { describe, expect, test } from "vitest";
import { fromText } from "../../lib/data/from-text.ts";
import { tf } from "../../lib/engine/index.ts";
import { net } from "../../lib/models/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { der } from "../../lib/strategies/replay/der.ts";
import { replay } from "../../lib/strategies/replay/replay.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import { sequence } from "../../lib/streams/sources/sequence.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { lints } from "../../lib/train/lints.ts";
import { open } from "../../lib/train/session.ts";
import { advance, found, load, run, small, spec } from "./support.ts";

/** The same letters in three orders: what one piece teaches is wrong in the next. */
const text = `${"abcde".repeat(28)}${"edcba".repeat(28)}${"acebd".repeat(28)}`;
const data = fromText(text, { length: 4, test: 0.2, name: "small" });
const plain = sequence(data, 3) as unknown as Stream;
const told = scenario("task")(sequence(data, 3)) as unknown as Stream;

/** What a strategy must be told to serve tokens, or sequences so short, where it does not by default, or to bear so high a rate. */
const options: Readonly<Record<string, object>> = {
  ewc: { fisher: "true", lambda: 0.1 },
  apollo: { depth: 3 },
  mindSkip: { share: 0.1, penalty: 0.01 },
  tempLora: { chunk: 2, context: 1 },
};

const made = await Promise.all(
  found.map(async (entry) => {
    const make = await load(entry);
    const own = (make as unknown as (options: object) => Strategy)({
      ...(small(make).spec.options as object),
      ...options[entry.name],
    });
    return { name: entry.name, own, hooks: own.hooks, needsTask: (make.needs as readonly string[]).includes("task") };
  }),
);
const serving = made.filter(({ hooks }) => hooks.tokens === true);

/** Strategies that work on kernels, which a model of embeddings alone has not. */
const onKernels = ["adaLora", "elaLora", "granet", "pela", "reste", "st3", "stableRps", "tempLora", "ternary"];

/** Strategies that work on units of inner layers, which a block of a transformer has. */
const onUnits = ["consensus", "layerThresholds", "supernet"];

const about = (
  own: readonly Strategy[],
  stream: Stream = plain,
  /** The strategies that the model is for. */
  like: readonly Strategy[] = own,
) => {
  const dense = like.some(({ spec }) => onKernels.includes(spec.name));
  const norm = own.some(({ hooks }) => hooks.adapt !== undefined);
  const attends = own.some(({ hooks, spec }) => hooks.attention === true || onUnits.includes(spec.name));
  const embedded = net().embedding(data.classes.length, 6);
  const two = { kind: "lowRank", rank: 3 } as const;
  const factored = like.some(({ hooks }) => hooks.factors === true);
  const model = dense
    ? embedded.dense(6).dense(6)
    : factored
      ? embedded.structured(6, two).structured(6, two)
      : embedded;
  const blocks = attends ? model.transformer(2, { widen: 1 }).transformer(2, { widen: 1 }) : model;
  return spec(stream, own, {
    model: (norm ? blocks.batchNorm() : blocks) as never,
    optimizer: sgd({ lr: 0.3 }),
  });
};

test("every strategy serves streams of tokens, or says why not", () => {
  for (const { name, hooks } of made)
    expect([name, hooks.tokens === true || (typeof hooks.tokens === "string" && hooks.tokens.length > 10)]).toEqual([
      name,
      true,
    ]);
  expect(serving.length).toBeGreaterThan(25);
});

test("one that does not is refused with its reason", () => {
  for (const { own, hooks, needsTask } of made)
    if (hooks.tokens !== true)
      expect(() => open(about([own], needsTask ? told : plain), 0, "test")).toThrow(hooks.tokens as string);
});

describe.each(serving)("$name on a stream of tokens", ({ name, own, hooks, needsTask }) => {
  const given = about([own], needsTask ? told : plain);

  test("runs, is not idle, goes on from the middle, and leaves no tensors", () => {
    const whole = run(given);
    const before = tf.memory().numTensors;
    expect(whole.weights.every(Number.isFinite)).toBe(true);
    expect(lints(whole.events).filter((note) => /exactly zero|no gradient/.test(note))).toEqual([]);
    for (const event of whole.events)
      if (event.type === "step") expect(name in event.terms).toBe(hooks.loss !== undefined);
    const first = open(given, 0, "test");
    advance(first, 12);
    const saved = first.save();
    first.dispose();
    expect(run(given, 0, saved).weights).toEqual(whole.weights);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("changes what is trained or what is predicted", () => {
    if (["naive", "distil", "bnAdapt", "tent"].includes(name)) return; // nothing, itself as it began, or at test time alone
    const scores = (events: ReturnType<typeof run>["events"]) =>
      events.flatMap((event) => (event.type === "evaluated" ? [event.loss] : []));
    const [mine, none] = [
      run(given),
      run(about([], needsTask ? told : plain, onKernels.includes(name) || hooks.factors === true ? [own] : [])),
    ];
    expect(
      mine.weights.slice(0, none.weights.length).join() === none.weights.join() &&
        String(scores(mine.events)) === String(scores(none.events)),
    ).toBe(false);
  });
});

describe("a memory of sequences", () => {
  test("keeps each with its targets: a draw asks for what followed", () => {
    let asked = 0;
    const watched = replay({ capacity: 10, draw: 4 });
    const spied: Strategy = {
      ...watched,
      hooks: {
        ...watched.hooks,
        batch(memory, batch, context) {
          const out = watched.hooks.batch!(memory, batch, context);
          const length = 4;
          for (let row = batch.y.length; row < out.y.length; row++) {
            const x = out.x.slice(row * length, (row + 1) * length);
            const targets = out.targets!.slice(row * length, (row + 1) * length);
            // in a text the targets of a sequence are itself one place on
            expect([...targets.slice(0, length - 1)]).toEqual([...x.slice(1)]);
            asked++;
          }
          return out;
        },
      },
    };
    run(about([spied]));
    expect(asked).toBeGreaterThan(50);
  });

  test("holds the logits of every place: the first replay of an example that nothing has changed costs nothing", () => {
    const dark = about([der({ capacity: 20, draw: 4, alpha: 1 })]);
    const { events } = run({ ...dark, optimizer: sgd({ lr: 1e-12 }) });
    const terms = events.flatMap((event) => (event.type === "step" ? [event.terms.der!] : []));
    expect(Math.max(...terms)).toBeLessThan(1e-10);
    const moving = run(dark).events.flatMap((event) => (event.type === "step" ? [event.terms.der!] : []));
    expect(Math.max(...moving)).toBeGreaterThan(1e-6);
  });
});
