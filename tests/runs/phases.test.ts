import {
  blobs,
  classes,
  compare,
  digits,
  disposeTree,
  distil,
  fractals,
  from,
  loadNetwork,
  mlp,
  network,
  type PhasedRun,
  phases,
  type Run,
  type Study,
  saveNetwork,
  sgd,
  specFromJson,
  specHash,
  specJson,
  type Tree,
  task,
  tf,
  trained,
} from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { hooksOf, lossOf, small as smallNetwork, stepOf } from "../strategies/by-hand.ts";
import { numbers } from "../strategies/support.ts";
import { runFolders, temporary, timeless } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);

const data = digits();
const stream = classes(data).split(5);
const old = stream.slice(0, 3).limit(60);
const fresh = stream.slice(3, 5).limit(40);
const pretrain = old.learn(mlp({ hidden: [16] })).train({ epochs: 2 });
const quiet = { quiet: true, record: false } as const;
const events = (run: Run) => timeless(run.logs[0]!.events);
const all = (run: PhasedRun) => run.phases.map(events);

describe("phases", () => {
  const two = phases({ pretrain, finetune: (network) => fresh.learn(from(network)) });

  test("are the studies one after the other, by hand", async () => {
    const run = await two.run(quiet);
    const first = await pretrain.run(quiet);
    const second = await fresh.learn(from(await first.network())).run(quiet);
    expect(all(run)).toEqual([events(first), events(second)]);
    expect(run.phases[1]!.hash).toBe(second.hash);
    expect(run.names).toEqual(["pretrain", "finetune"]);
    expect(run.last.matrix()).toEqual(second.matrix());
    const [a, b] = [await run.network(), await second.network()];
    expect(a.checksum).toBe(b.checksum);
    for (const each of [a, b]) each.dispose();
  });

  test("give a function its network once for each seed, and leave no tensors", async () => {
    await two.run(quiet);
    const before = tf.memory().numTensors;
    let begun = 0;
    const counted = phases(pretrain, (network) => {
      begun++;
      return fresh.learn(from(network));
    });
    await counted.run({ ...quiet, seeds: 2 });
    expect(begun).toBe(2);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("give each seed the network of its own", async () => {
    const run = await two.run({ ...quiet, seeds: 2 });
    expect(run.last.logs.map(({ seed }) => seed)).toEqual([0, 1]);
    for (const seed of [0, 1]) {
      const alone = await two.run({ ...quiet, seeds: [seed] });
      expect(timeless(run.last.logs[seed]!.events)).toEqual(timeless(alone.last.logs[0]!.events));
      const [a, b] = [await run.network({ seed }), await alone.network({ seed })];
      expect(a.checksum).toBe(b.checksum);
      for (const each of [a, b]) each.dispose();
    }
    expect(
      await run.last
        .at(task(1))
        .fork()
        .then((fork) => fork.logs.map(({ events }) => timeless(events))),
    ).toEqual(run.last.logs.map(({ events }) => timeless(events)));
  });

  test("are read from their records, phase by phase", async () => {
    const record = `${folder}/kept`;
    const first = await two.run({ quiet: true, record });
    const again = await two.run({ quiet: true, record });
    expect(again.phases.map(({ logs }) => logs)).toEqual(first.phases.map(({ logs }) => logs));
    expect(runFolders(record)).toHaveLength(2);
    // a later phase that is another one takes the record of the first, and no other
    const other = phases({ pretrain, finetune: (network) => fresh.learn(from(network)).with(sgd({ lr: 0.01 })) });
    const changed = await other.run({ quiet: true, record });
    expect(changed.phases[0]!.logs).toEqual(first.phases[0]!.logs);
    expect(events(changed.last)).not.toEqual(events(first.last));
    expect(runFolders(record)).toHaveLength(3);
  });

  test("never take the record of another function, though its text is the same", async () => {
    const record = `${folder}/sound`;
    const closing = (lr: number) => phases(pretrain, (network) => fresh.learn(from(network)).with(sgd({ lr })));
    const [slow, fast] = [closing(0.001), closing(0.2)];
    expect(slow.hash).toBe(fast.hash); // what a function closes over is not seen
    const runs = [await slow.run({ quiet: true, record }), await fast.run({ quiet: true, record })];
    expect(events(runs[1]!.last)).not.toEqual(events(runs[0]!.last));
    expect(runs[1]!.hash).not.toBe(runs[0]!.hash);
  });

  test.each([0, 1])("that were stopped in phase %i go on as if they had not been", async (phase) => {
    const record = `${folder}/stopped-${phase}`;
    const stop = new AbortController();
    let called = 0;
    const stopping = phases(pretrain, (network) => {
      called++;
      if (phase === 1 && called === 1) setTimeout(() => stop.abort(), 20);
      return fresh.learn(from(network)).train({ epochs: 20 });
    });
    if (phase === 0) setTimeout(() => stop.abort(), 20);
    const options = { quiet: true, record, checkpointSeconds: 0 };
    const error = await stopping.run({ ...options, signal: stop.signal }).catch((thrown: unknown) => thrown);
    expect((error as Error).name).toBe("Interrupted");
    expect((error as { phased: PhasedRun }).phased.phases).toHaveLength(phase + 1);
    const resumed = await stopping.resume(options);
    expect(all(resumed)).toEqual(all(await stopping.run(quiet)));
  });

  test("go on from a fork of one of them", async () => {
    const run = await two.run(quiet);
    const same = await run.replace("pretrain", await run.phases[0]!.at(task(1)).fork(), quiet);
    expect(all(same)).toEqual(all(run));
    const fork = await run.phases[0]!.at(task(1)).fork({ optimizer: sgd({ lr: 0.3 }) });
    const other = await run.replace(0, fork, quiet);
    expect(events(other.phases[0]!)).toEqual(events(fork));
    expect(events(other.last)).not.toEqual(events(run.last));
    await expect(run.replace("middle", fork)).rejects.toThrow("replace: one of the phases pretrain, finetune");
  });

  test("may begin again from every network so far, and be stopped in the last of them", async () => {
    const three = phases(
      pretrain,
      (network) => fresh.learn(from(network)),
      (_, [first]) => fresh.learn(from(first!)),
    );
    const run = await three.run({ ...quiet, until: task(1) });
    expect(run.phases.map((each) => each.matrix().values.length)).toEqual([3, 2, 1]);
    expect(events(run.phases[2]!).slice(0, -1)).toEqual(
      events(run.phases[1]!).slice(0, events(run.phases[2]!).length - 1),
    );
  });

  test("tell a table with a row for each phase, and themselves as JSON", async () => {
    const run = await two.run(quiet);
    const rows = run.frame().rows();
    expect(new Set(rows.map(({ phase }) => phase))).toEqual(new Set(["pretrain", "finetune"]));
    expect(rows).toHaveLength(run.phases.reduce((sum, each) => sum + each.frame().rows().length, 0));
    expect(
      run
        .summary()
        .rows()
        .filter(({ phase }) => phase === "finetune").length,
    ).toBeGreaterThan(3);
    expect(run.toJSON().phases[1]!.logs).toEqual(run.last.logs);
    expect(JSON.stringify(two.toJSON())).toContain("fresh.learn");
    expect((two.toJSON() as { phases: { name: string }[] }).phases.map(({ name }) => name)).toEqual(
      two.names as string[],
    );
  });

  test("can be compared with a study by their last", async () => {
    const plain = fresh.learn(mlp({ hidden: [16] }));
    const table = await compare(plain, two, await two.run(quiet), { ...quiet, seeds: 1 });
    expect(table.runs.map(({ name }) => name)).toEqual(["naive", "pretrain → finetune #2", "pretrain → finetune #3"]);
    expect(table.runs[1]!.logs.map(({ events }) => timeless(events))).toEqual(
      table.runs[2]!.logs.map(({ events }) => timeless(events)),
    );
  });

  test("must be studies, of which the first needs no network", async () => {
    expect(() => phases()).toThrow("phases: at least one phase is required");
    expect(() => phases((network) => fresh.learn(from(network)))).toThrow("there is no network before it");
    await expect(phases(pretrain, () => undefined as never).run(quiet)).rejects.toThrow("one that gave undefined");
  });
});

describe("distillation from a network that is given", () => {
  test("is the formula of its source, by hand", () => {
    const { net, weights } = smallNetwork([3], 2, 3);
    const { weights: other } = smallNetwork([3], 2, 2, 9);
    const teacher = trained({ model: mlp({ hidden: [3] }), input: [2], weights: other });
    const x = [
      [0.4, -1],
      [1.3, 0.2],
    ];
    const own = distil({ teacher, temperature: 4, weight: 0.25 });
    const context = { stream: { classes: [], target: "class", head: "single" }, columns: 3, network: net };
    const state = hooksOf(own).init(context as never);
    teacher.dispose(); // its numbers were taken
    const step = stepOf({ net, weights, x, y: [2, 0] });
    const logits = (at: typeof weights, columns: number) => {
      const rows = stepOf({
        net: columns === 3 ? net : network(mlp({ hidden: [3] }), [2]),
        weights: at,
        x,
      }).logits.arraySync();
      return rows as number[][];
    };
    const softmax = (z: number[]) => {
      const e = z.map(Math.exp);
      return e.map((v) => v / e.reduce((a, b) => a + b));
    };
    const [student, wanted] = [logits(weights, 3), logits(other, 2)];
    const labels = [2, 0].map((y, i) => -Math.log(softmax(student[i]!)[y]!));
    const soft = wanted.map((z, i) => {
      const p = softmax(z.map((v) => v / 4));
      const q = softmax(student[i]!.slice(0, 2).map((v) => v / 4)); // the two columns that the teacher has learnt
      return -(p[0]! * Math.log(q[0]!) + p[1]! * Math.log(q[1]!));
    });
    const mean = (values: number[]) => (values[0]! + values[1]!) / 2;
    expect(lossOf(own, state, step)).toBeCloseTo(0.75 * mean(labels) + 0.25 * 16 * mean(soft), 5);
    disposeTree([state.tensors, weights, other] as unknown as Tree);
  });

  test("passes a teacher's knowledge on without a label, and stands in the record as its checksum", async () => {
    const whole = classes(data).split(1);
    const two = phases({
      teacher: whole.learn(mlp({ hidden: [32] })).with(sgd({ lr: 0.2 })),
      student: (teacher) =>
        whole
          .withhold("labels")
          .learn(mlp({ hidden: [24] }))
          .by(distil({ teacher, temperature: 2, weight: 1 }))
          .with(sgd({ lr: 0.2 })),
    });
    const run = await two.run(quiet);
    const [teacher, student] = run.phases.map((each) => each.matrix().values[0]![0]!);
    expect(teacher).toBeGreaterThan(0.85);
    expect(student).toBeGreaterThan(teacher! - 0.1);
    const big = await run.phases[0]!.network();
    expect(run.last.spec).toMatchObject({
      strategies: [{ name: "distil", options: { teacher: { network: big.checksum } } }],
    });
    big.dispose();
  });

  test("is made again from its record, with the network given or in a file", async () => {
    const first = await pretrain.run(quiet);
    const teacher = await first.network();
    const of = (network: typeof teacher): Study =>
      old.learn(mlp({ hidden: [4] })).by(distil({ teacher: network })) as Study;
    const given = of(teacher).spec;
    const json = JSON.parse(JSON.stringify(specJson(given)));
    expect(specHash(specFromJson(json, [data], [teacher]))).toBe(specHash(given));
    expect(() => specFromJson(json, [data])).toThrow(`the network with checksum ${teacher.checksum} is required`);
    const file = `${folder}/teacher`;
    saveNetwork(teacher, file);
    const read = loadNetwork(file);
    const filed = of(read).spec;
    read.dispose();
    expect(specHash(specFromJson(JSON.parse(JSON.stringify(specJson(filed))), [data]))).toBe(specHash(filed));
    const here = await of(teacher).run(quiet);
    const away = await of(teacher).run({ ...quiet, workers: 1 });
    expect(events(away)).toEqual(events(here));
    teacher.dispose();
  });

  test("without a teacher holds the network to what it was when the run began", async () => {
    const held = async (weight: number) => {
      const study = old
        .learn(mlp({ hidden: [4] }))
        .by(distil({ weight }))
        .with(sgd({ lr: 0.2 }));
      const fitting = study.fit();
      const seen: number[][] = [];
      for await (const event of fitting)
        if (event.type === "boundary" || event.type === "finished") seen.push(numbers(fitting.session.learner.weights));
      fitting.dispose();
      return Math.hypot(...seen[0]!.map((w, i) => w - seen.at(-1)![i]!));
    };
    expect(await held(0.9)).toBeLessThan((await held(0)) / 2);
  });

  test("refuses a teacher of other classes or examples", async () => {
    const teacher = await (await pretrain.run(quiet)).network();
    const by = (study: Study) => expect(study.by(distil({ teacher })).run(quiet));
    await by(classes(blobs({ classes: 3, dimensions: 4 })).learn(mlp()) as Study).rejects.toThrow(
      "distil: a teacher for examples of shape [4] is required, got one for [8,8,1]",
    );
    await by(
      classes(fractals({ classes: 10, sizePixels: 8, perClass: 4, testPerClass: 2 })).learn(mlp()) as Study,
    ).rejects.toThrow("distil: a teacher of the stream's classes is required, got one whose column 0");
    teacher.dispose();
  });
});
