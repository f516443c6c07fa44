import {
  adam,
  blobs,
  classes,
  cnn,
  compare,
  cosine,
  digits,
  ewc,
  fromArrays,
  joint,
  mlp,
  naive,
  net,
  operators,
  regression,
  replay,
  rotated,
  type Study,
  sgd,
  strategy,
} from "thalweg";
import { describe, expect, expectTypeOf, test } from "vitest";

const data = blobs({ classes: 4, dimensions: 5, perClass: 20 });
const study = classes(data)
  .split(2)
  .learn(mlp({ hidden: [6] }));

describe("a fluent stream", () => {
  test("is the same as the plain form", () => {
    const fluent = classes(data).split(2).scenario("task");
    const plain = operators.scenario("task")(operators.split(2)(classes(data)));
    expect(fluent.toJSON()).toEqual(plain.toJSON());
    expect(fluent.head).toBe("multi");
    expect([...fluent].map((e) => e.classes)).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  test("has every operator as a method, and takes functions of one's own", () => {
    const stream = classes(data) as unknown as Record<string, unknown>;
    for (const name of Object.keys(operators)) expect(typeof stream[name]).toBe("function");
    expect(classes(data).pipe(operators.split(4)).length).toBe(4);
  });

  test("has its experiences by position", () => {
    const stream = classes(data).split(4);
    expect(stream[2]!.classes).toEqual([2]);
    expect(() => stream[4]).toThrow("an experience from 0 to 3 is required, got 4");
  });

  test("shows itself", () => {
    const shown = (classes(data).split(2) as unknown as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]!();
    expect(shown["text/plain"]).toContain("Which classes arrive when");
    expect(shown["image/svg+xml"]).toContain("<svg");
    expect(rotated(digits(), [0, 90]).picture().layout.title?.text).toContain("Examples of each experience");
    expect(regression({ examples: 10 }).slice(0, 3).picture().layout.title?.text).toContain(
      "How far the stream has moved",
    );
  });
});

describe("a study", () => {
  test("is frozen, plain JSON, and changes its fingerprint with everything that changes its numbers", () => {
    const variants = [
      study,
      study.by(replay()),
      study.by(replay({ capacity: 7 })),
      study.with(adam()),
      study.with(cosine()),
      study.train({ epochs: 2 }),
      study.evaluate({ everySteps: 5 }),
      classes(data)
        .split(4)
        .learn(mlp({ hidden: [6] })),
      classes(data)
        .split(2)
        .learn(mlp({ hidden: [7] })),
      classes(blobs({ classes: 4, dimensions: 5, perClass: 20, seed: 1 }))
        .split(2)
        .learn(mlp({ hidden: [6] })),
    ];
    expect(new Set(variants.map((v) => v.hash)).size).toBe(variants.length);
    expect(Object.isFrozen(study)).toBe(true);
    expect(study.by(naive()).by(replay()).hash).toBe(study.by(replay()).hash);
    expect(study.train({ epochs: 2 }).train({ batch: 3 }).spec.training).toMatchObject({ epochs: 2, batch: 3 });
    expect(JSON.parse(JSON.stringify(study))).toEqual(study.toJSON());
  });

  test("runs with several seeds and answers with one row per seed, experience and task", async () => {
    const run = await study.by(replay({ capacity: 10 }), ewc({ samples: 3 })).run({ seeds: [3, 5], quiet: true });
    expect(run.logs.map((log) => log.seed)).toEqual([3, 5]);
    expect(run.name).toBe("replay+ewc");
    const after = run
      .frame()
      .rows()
      .filter((row) => row.at === "experience");
    expect(after).toHaveLength(2 * 2 * 2);
    expect(run.matrix({ seed: 5 }).values.flat()).toEqual(
      after.filter((row) => row.seed === 5).map((row) => row.accuracy),
    );
    expect(() => run.matrix({ seed: 4 })).toThrow("matrix: one of the seeds 3, 5 is required, got 4");
  });

  test("refuses seeds that are none", async () => {
    await expect(study.run({ seeds: 0, quiet: true })).rejects.toThrow("run: seeds must be a count of at least 1");
    await expect(study.run({ seeds: [1, 1], quiet: true })).rejects.toThrow("different whole numbers");
  });

  test("that is stopped keeps the logs so far and the state to go on from", async () => {
    const control = new AbortController();
    const stopping = strategy("stopping", {}, () => ({
      batch(_state, batch, { step, experience }) {
        if (experience === 1 && step > 0) control.abort();
        return batch;
      },
    }));
    const failed = await study
      .by(stopping())
      .run({ seeds: 2, quiet: true, signal: control.signal })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ name: "Interrupted" });
    const { run, state } = failed as { run: { logs: { events: { type: string }[] }[] }; state: Uint8Array };
    expect(run.logs).toHaveLength(1);
    expect(run.logs[0]!.events.some((event) => event.type === "learned")).toBe(true);
    expect(state).toBeInstanceOf(Uint8Array);
  });
});

describe("a comparison", () => {
  test("takes studies and runs, and names apart what differs only in an option", async () => {
    const run = await study.by(naive()).run({ seeds: 2, quiet: true });
    const results = await compare(
      run,
      study.by(replay({ capacity: 4 })),
      study.by(replay({ capacity: 9 })),
      study.by(joint()),
      { seeds: 2, quiet: true },
    );
    expect(results.runs.map((r) => r.name)).toEqual(["naive", "replay (capacity 4)", "replay (capacity 9)", "joint"]);
    expect(results.toText()).toContain("±");
    expect(results.curves().data.length).toBeGreaterThan(3);
    expect(results.frame().rows()[0]).toHaveProperty("method", "naive");
  });

  test("of nothing is refused", async () => {
    await expect(compare()).rejects.toThrow("compare: at least one study or run is required, got none");
  });
});

describe("what does not fit does not compile", () => {
  const told = strategy("told", {}, () => ({}), ["task"]);
  const images = fromArrays(new Uint8Array(36), [0, 1, 0, 1], { shape: [3, 3, 1] });

  test("a strategy on a stream that does not tell what it needs, with a sentence", () => {
    // @ts-expect-error this strategy needs a stream that tells "task"
    expect(() => study.by(told())).toThrow(
      'told: a stream that tells "task" is required, got one that tells boundary, labels, length',
    );
    expectTypeOf(classes(data).split(2).scenario("task").learn(mlp()).by(told())).toExtend<Study>();
  });

  test("a misspelt option", () => {
    // @ts-expect-error no option capcity
    expect(() => replay({ capcity: 3 })).toThrow("replay: no option capcity; it has capacity");
    // @ts-expect-error momentum is a number
    expect(() => sgd({ momentum: "much" })).toThrow('sgd: option momentum must be a number, got "much"');
  });

  test("a convolution on a flat model, and an image model on vectors", () => {
    // @ts-expect-error this layer takes image input, and at this point of the net there is vector output
    expect(() => net().flatten().conv(3, 3).features([4, 4, 1])).toThrow("an image");
    // @ts-expect-error this model takes image examples, and the stream has vector examples
    expect(() => classes(data).split(2).learn(cnn())).toThrow(
      "learn: a model that accepts vector examples is required, got cnn",
    );
    expect(() => classes(images).learn(net().conv(2, 3).flatten())).not.toThrow();
  });
});
