import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { run } from "../../kernel/commands/conform.ts";
import { digits } from "../../lib/data/digits.ts";
import { fromArrays } from "../../lib/data/from-arrays.ts";
import { mnist } from "../../lib/data/mnist.ts";
import { random } from "../../lib/engine/random.ts";
import { mlp } from "../../lib/models/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { naive, nearestMean } from "../../lib/strategies/index.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { regression } from "../../lib/streams/sources/regression.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { bandOf, type Conformance, conform, judged, type Protocol, relationsMet } from "../../lib/sweeps/conform.ts";
import { conformCells, conformCommand } from "../../lib/sweeps/conform-command.ts";
import { der20SplitMnist } from "../../lib/sweeps/protocols/der20.ts";
import { onlineSplitCifar100 } from "../../lib/sweeps/protocols/soutif23.ts";
import type { Stepped, TrainEvent } from "../../lib/train/events.ts";

const folder = mkdtempSync(join(tmpdir(), "thalweg-conform-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The nearest mean of two digits at a time: 306 of the 360 test digits, as scikit-learn has it. */
const protocol: Protocol = {
  id: "TEST/digits",
  source: "scikit-learn",
  data: "digits",
  scenarios: { class: { stream: (data) => split(5)(classes(data)) as unknown as Stream, told: "taskAgnostic" } },
  model: mlp({ hidden: [8] }),
  optimizer: sgd({ lr: 0.1 }),
  training: { batch: 10, epochs: 1 },
  spread: { kind: "deviation", runs: 1 },
  conventions: ["means of the pixels"],
  cells: [
    { name: "mean", strategies: [nearestMean({ of: "inputs" })], published: { class: [85] } },
    { name: "far", strategies: [nearestMean({ of: "inputs" })], published: { class: [60] }, differs: "a wrong number" },
    { name: "naive", strategies: [naive()], published: { class: [20] } },
    { name: "bursts", strategies: [naive()], optimizer: sgd({ lr: 1e30 }), published: { class: [20] } },
  ],
  relations: [
    { says: "means are above nothing done", scenario: "class", a: "mean", b: "naive", atLeast: 40 },
    { says: "and below it", scenario: "class", a: "naive", b: "mean", atLeast: 0 },
    { says: "near 85", scenario: "class", a: "mean", b: 85, within: 1 },
    { says: "a cell that was not run", scenario: "class", a: "mean", b: "other", within: 1 },
  ],
};
const outcome = (name: string, more = {}): Promise<Conformance> =>
  conform(protocol, "class", name, digits(), { seeds: 1, record: folder, ...more });

describe("a cell of a published table", () => {
  test("is in band, out of band, or diverges", async () => {
    const [mean, far, bursts] = [await outcome("mean"), await outcome("far"), await outcome("bursts")];
    // The mean over five tasks of unequal size is not quite 306 of 360.
    expect(Math.abs(mean.mean - 85)).toBeLessThan(0.6);
    expect(mean).toMatchObject({
      cell: "TEST/digits/class/mean",
      verdict: "in band",
      band: 2,
      conventions: ["means of the pixels"],
    });
    expect(far).toMatchObject({ verdict: "out of band", conventions: ["means of the pixels", "a wrong number"] });
    expect(bursts).toMatchObject({ verdict: "diverged", values: [], diverged: 1 });
    expect(mean.diverged).toBe(0);
  });

  test("is unknown on other data", async () => {
    const other = await conform({ ...protocol, data: "mnist" }, "class", "mean", digits(), {
      seeds: 1,
      record: folder,
    });
    expect(other).toMatchObject({ verdict: "band unknown", band: null, published: { mean: 85, of: "mnist" } });
  });

  test("is unknown for a number that is only remembered", async () => {
    const cells = protocol.cells.map((cell) => ({ ...cell, remembered: true }));
    const far = await conform({ ...protocol, cells }, "class", "far", digits(), { seeds: 1, record: folder });
    expect(far).toMatchObject({ verdict: "band unknown", band: null, published: { mean: 60, of: "digits" } });
  });

  test("of a stream that makes its own data is known on any, and keeps no more of a log than it needs", async () => {
    const held: number[] = [];
    const lasts = (event: TrainEvent): boolean => event.type === "step" && event.step > 100;
    const own = (keeps?: typeof lasts): Protocol => ({
      ...protocol,
      id: "TEST/regression",
      data: null,
      scenarios: {
        error: {
          stream: () => regression({ examples: 40, experiences: 3 }) as unknown as Stream,
          told: "taskAgnostic",
        },
      },
      training: { batch: 1 },
      evaluation: { tasks: "seen", examples: 1 },
      measure: {
        name: "error of the last steps",
        of(events) {
          held.push(events.length);
          return events.filter(lasts).reduce((sum, e) => sum + (e as Stepped).loss, 0);
        },
        ...(keeps && { keeps }),
      },
      cells: [{ name: "naive", strategies: [naive()], published: { error: [30] } }],
    });
    const record = mkdtempSync(join(folder, "kept-"));
    const run = (of: Protocol): Promise<Conformance> => conform(of, "error", "naive", digits(), { seeds: 1, record });
    const few = await run(own(lasts));
    expect(readdirSync(record)).toEqual([]);
    const many = await run(own());
    expect(readdirSync(record)).not.toEqual([]);
    expect(few.values).toEqual(many.values);
    expect(few.mean).toBeGreaterThan(0);
    expect(held[0]).toBe(20);
    expect(held[1]).toBeGreaterThan(120);
    expect(few).toMatchObject({ data: "generated", published: { of: "generated" } });
    expect(few.band).not.toBeNull();
  });

  test("has a band of three standard errors, two deviations and a point, or the interval of the seeds below a bound", () => {
    const of = (spread: Protocol["spread"]): Protocol => ({ ...protocol, spread });
    expect(bandOf(of({ kind: "error", runs: 20 }), 0.5, 5)).toBeCloseTo(3 * 0.5 * 2);
    expect(bandOf(of({ kind: "deviation", runs: 10 }), 3, 4)).toBeCloseTo(4);
    expect(bandOf(of({ kind: "deviation", runs: 10 }), undefined, 4)).toBe(2);
    expect(bandOf(of({ kind: "deviation", runs: 10 }), undefined, 4, 3)).toBeCloseTo(4);
    expect(bandOf(of({ kind: "error", runs: 20 }), undefined, 4, 3)).toBeCloseTo(4.5);
    // t(3) at 97.5 % is 3.1824
    expect(bandOf(of({ kind: "floor" }), undefined, 4, 2)).toBeCloseTo(3.1824, 4);
    expect(bandOf(of({ kind: "floor" }), undefined, 1)).toBe(0);
  });

  test("a bound from below is met from above, or from within the interval of the seeds, and by no tolerance", () => {
    const bound: Protocol = { ...protocol, spread: { kind: "floor" } };
    const cell = { ...protocol.cells[0]!, published: { class: [80] as const } };
    const verdict = (...values: number[]) => judged(bound, "class", cell, bound.data!, values, 0).verdict;
    expect(verdict(80.1)).toBe("in band");
    expect(verdict(79.9)).toBe("out of band");
    expect(verdict(79.5, 79.5, 79.5)).toBe("out of band");
    expect(verdict(78, 81, 80.5)).toBe("in band");
  });

  test("stands in relations to others that were run", async () => {
    const outcomes = [await outcome("mean"), await outcome("naive")];
    const found = relationsMet(protocol, outcomes);
    expect(found.map(({ met }) => met)).toEqual([true, false, true]);
    expect(found[0]).toMatchObject({ strategies: ["nearestMean", "naive"], asked: "class/mean − class/naive ≥ 40" });
    expect(found[0]!.difference).toBeCloseTo(outcomes[0]!.mean - outcomes[1]!.mean, 10);
  });
});

test("CIFAR-100's protocol goes through a hundred classes of colour images, ten at a time", async () => {
  const noise = random(1).at("images");
  const images = (n: number): Uint8Array => Uint8Array.from({ length: n * 8 * 8 * 3 }, () => noise.int(256));
  const labels = Array.from({ length: 100 }, (_, c) => c);
  const small = fromArrays(images(100), labels, {
    shape: [8, 8, 3],
    kind: "image",
    test: { x: images(100), y: labels },
  });
  const outcome = await conform(onlineSplitCifar100, "class", "er-2000", small, { seeds: 1 });
  expect(outcome).toMatchObject({ verdict: "band unknown", published: { mean: 28.15, of: "cifar100" } });
  expect(outcome.mean).toBeGreaterThanOrEqual(0);
  expect(outcome.mean).toBeLessThan(20);
}, 60_000);

const files = await mnist({ download: false }).catch(() => undefined);

/** One seed alone may lie further from the mean of ten than the mean of several. */
describe.skipIf(files === undefined)("published numbers on MNIST, one seed", () => {
  test.each([
    ["class", "sgd", 1],
    ["class", "er-500", 5],
    ["class", "derpp-500", 3],
    ["task", "derpp-500", 1],
  ])(
    "%s/%s of the table of dark experience replay",
    async (scenario, name, within) => {
      const { mean, published } = await conform(der20SplitMnist, scenario, name, files!, { seeds: 1, record: folder });
      expect(Math.abs(mean - published!.mean)).toBeLessThan(within);
    },
    120_000,
  );
});

describe("the command", () => {
  const told = async (argv: string[], abort = false): Promise<{ code: number; out: string[]; notes: string[] }> => {
    const [out, notes]: string[][] = [[], []];
    const stop = new AbortController();
    if (abort) stop.abort();
    const voice = {
      out: (line: string) => out!.push(line),
      note: (line: string) => notes!.push(line),
      signal: stop.signal,
    };
    const code = await conformCommand(argv, voice);
    return { code, out: out!, notes: notes! };
  };

  test("every protocol has cells with names of their own, numbers for scenarios it has, and relations between its cells", () => {
    const all = conformCells();
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(120);
    for (const { id, protocol: of, scenario } of all) expect(Object.keys(of.scenarios), id).toContain(scenario);
    for (const of of new Set(all.map((cell) => cell.protocol)))
      for (const { scenario, a, b, says } of of.relations ?? [])
        for (const name of [a, b])
          if (typeof name === "string") {
            // a protocol of our own has cells without published numbers, and then runs all of them
            const published = of.cells.find((cell) => cell.name === name)?.published;
            expect(published, `${of.id}: ${says}`).toBeDefined();
            if (Object.keys(published!).length > 0) expect(published![scenario], `${of.id}: ${says}`).toBeDefined();
          }
  });

  test("lists the cells, in words and as JSON", async () => {
    const words = await told([]);
    expect(words.code).toBe(0);
    expect(words.out.join("\n")).toMatch(/DER20\/split-mnist\/class\/er-200 +80\.43 ± 2\.0/);
    const [json] = (await told(["--json"])).out;
    expect(JSON.parse(json!)).toContainEqual(
      expect.objectContaining({ cell: "DER20/split-mnist/class/er-200", strategies: ["replay"], published: 80.43 }),
    );
  });

  test("runs a cell, and the second time takes it from its record", async () => {
    const asked = ["CAPYMOA/tiny-split-mnist/class/ncm", "--data", "digits", "--record", folder, "--json"];
    const first = await told(asked);
    const said = JSON.parse(first.out[0]!) as { cells: Conformance[] };
    expect(said.cells[0]).toMatchObject({ data: "digits", verdict: "band unknown", strategies: ["nearestMean"] });
    expect(said.cells[0]!.mean).toBeGreaterThan(75);
    expect((await told(asked)).out).toEqual(first.out);
  });

  test("says relations and is 1 when one is not met", async () => {
    const all = await told(["CAPYMOA/tiny-split-mnist", "--strategy", "naive", "--data", "digits", "--record", folder]);
    expect(all.code).toBe(0);
    const both = await told(["CAPYMOA/tiny-split-mnist", "--data", "digits", "--record", folder]);
    const lines = both.out.filter((line) => /^(met|NOT MET)/.test(line));
    expect(lines).toHaveLength(2);
    expect(both.code).toBe(lines.some((line) => line.startsWith("NOT")) ? 1 : 0);
  });

  test("stopped in the middle of a run, goes on from there to the same number", async () => {
    const argv = (where: string): string[] => [
      "CAPYMOA/tiny-split-mnist/class/finetune",
      ...["--data", "digits", "--record", join(folder, where), "--json"],
    ];
    const stop = new AbortController();
    const said: string[] = [];
    // The first note says that the run begins.
    const voice = { out: (line: string) => said.push(line), note: () => stop.abort(), signal: stop.signal };
    expect(await conformCommand(argv("stopped"), voice)).toBe(130);
    expect((JSON.parse(said[0]!) as { cells: unknown[] }).cells).toEqual([]);
    const [gone, whole] = [await told(argv("stopped")), await told(argv("whole"))];
    expect(gone).toMatchObject({ code: 0, out: whole.out });
  });

  test("is the kernel's, which knows of it only where the library is", async () => {
    const lines: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
    try {
      expect(await run(["--strategy", "nearestMean", "--data", "digits", "--record", folder, "--json"])).toBe(0);
    } finally {
      log.mockRestore();
    }
    const { cells } = JSON.parse(lines.join("\n")) as { cells: Conformance[] };
    expect(cells.map(({ cell }) => cell)).toEqual(["CAPYMOA/tiny-split-mnist/class/ncm"]);
  });

  test("stops between runs and says that it goes on", async () => {
    const { code, notes } = await told(["CAPYMOA/tiny-split-mnist", "--data", "digits", "--record", folder], true);
    expect(code).toBe(130);
    expect(notes.at(-1)).toContain("goes on from here");
  });

  test.skipIf(files === undefined)("leaves out what has no data, and goes on with the rest", async () => {
    vi.stubEnv("THALWEG_CACHE", join(folder, "empty"));
    const { code, notes } = await told(["--strategy", "replay"], true);
    vi.unstubAllEnvs();
    expect(code).toBe(130);
    expect(notes[0]).toMatch(/^SOUTIF23\/split-cifar100 is left out: cifar100: its files are required, found none/);
    await expect(told(["SOUTIF23", "--data", "cifar100", "--folder", folder])).rejects.toThrow(/cifar100/);
  });

  test.each([
    [["--seeds", "0"], "--seeds: a whole number of at least 1 is required, got 0"],
    [
      ["--data", "cifar"],
      "--data: one of fashion-mnist, mnist, digits, fractals, cifar100, imagenet-r, cub is required, got cifar",
    ],
    [["DER21"], "conform: a cell that exists is required, got DER21"],
  ])("refuses %s", async (argv, message) => {
    await expect(told(argv)).rejects.toThrow(message);
    await expect(told(argv)).rejects.toMatchObject({ name: "UsageError" });
  });
});
