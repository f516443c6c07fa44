import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 as zlibCrc32 } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { classes, digits, exportMlflow, exportTensorBoard, exportWandb, mlp, type Run, sgd } from "../../lib/index.ts";
import { parameters, scalars } from "../../lib/runs/parts/scalars.ts";
import { crc32c, record, scalarEvent, versionEvent } from "../../lib/runs/parts/tfrecord.ts";
import { crc32, wandbLog } from "../../lib/runs/parts/wandb-log.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("records are those of TensorBoard's own writer, byte for byte (peers/trackers.py)", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  expect(hex(record(versionEvent(1.5)))).toBe(
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
  );
  expect(hex(record(scalarEvent(1.5, 300, "train/loss", 0.25)))).toBe(
    "2100000000000000017becf609000000000000f83f10ac022a130a110a0a747261696e2f6c6f7373150000803e6557981f",
  );
});

test("a log of W&B goes on over its blocks, with zlib's checksums, and is read back by LevelDB's rules", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  const sizes = [0, 1, 32_746, 5, 32_754, 32_755, 100_000, 7];
  const given = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
  const file = Buffer.from(wandbLog(given));
  expect(file.subarray(0, 7).toString("latin1")).toBe(":W&B\u00e1\u00be\u0000");
  const found: Buffer[] = [];
  let open: Buffer[] = [];
  for (let at = 7; at < file.length; ) {
    const left = 32_768 - (at % 32_768);
    if (left < 7) {
      expect(file.subarray(at, at + left).every((byte) => byte === 0)).toBe(true);
      at += left;
      continue;
    }
    const [length, type] = [file.readUInt16LE(at + 4), file[at + 6]!];
    expect(length + 7, "a piece stays in its block").toBeLessThanOrEqual(left);
    const data = file.subarray(at + 7, at + 7 + length);
    if (zlibCrc32) expect(file.readUInt32LE(at)).toBe(zlibCrc32(data, zlibCrc32(Buffer.of(type))));
    expect(type === 1 || type === 2, "a record begins where none is open").toBe(open.length === 0);
    open.push(data);
    if (type === 1 || type === 4) {
      found.push(Buffer.concat(open));
      open = [];
    }
    at += 7 + length;
  }
  expect(found.map((one) => [one.length, one[0]])).toEqual(given.map((one) => [one.length, one[0]]));
});

test("numbers of a log have names that trackers take; what is no finite number is left out", () => {
  const step = {
    type: "step",
    step: 3,
    experience: 0,
    epoch: 0,
    loss: 0.5,
    terms: { "my term!": 1, bad: Number.NaN },
  } as const;
  expect(scalars([step], [])).toEqual([
    { tag: "train/loss", step: 3, value: 0.5 },
    { tag: "train/terms/my-term", step: 3, value: 1 },
  ]);
  expect(parameters({ a: { "b c": [1, "x"] }, d: null })).toEqual([
    ["a.b-c.0", "1"],
    ["a.b-c.1", "x"],
    ["d", "null"],
  ]);
});

describe("a run", () => {
  let run: Run;
  const folder = mkdtempSync(join(tmpdir(), "trackers-"));
  const at = 1_700_000_000_000;
  beforeAll(async () => {
    run = await classes(digits())
      .split(2)
      .learn(mlp({ hidden: [8] }))
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 32, epochs: 1 })
      .run({ seeds: 2, record: false });
  });

  test("is a folder of event files for each seed", () => {
    const homes = exportTensorBoard(run, join(folder, "tb"), { at });
    expect(homes).toHaveLength(2);
    const [file] = readdirSync(homes[0]!).filter((name) => name.startsWith("events.out.tfevents.1700000000."));
    const bytes = readFileSync(join(homes[0]!, file!));
    let count = 0;
    for (let i = 0; i < bytes.length; i += 16 + Number(bytes.readBigUInt64LE(i))) count++;
    expect(count).toBe(1 + scalars(run.logs[0]!.events, run.tasks).length);
    expect(readFileSync(join(homes[0]!, "spec.txt"), "utf8")).toMatch(/batch/);
  });

  test("is an experiment of MLflow with a run for each seed, its metrics by step", () => {
    const [first, second] = exportMlflow(run, join(folder, "ml"), { at });
    expect(first).not.toBe(second);
    const meta = readFileSync(join(first!, "meta.yaml"), "utf8");
    expect(meta).toContain('run_name: "seed 0"\n');
    expect(meta).toContain("start_time: 1700000000000\n");
    expect(readFileSync(join(first!, "metrics/train/loss"), "utf8").split("\n")[0]).toMatch(/^1700000000001 [\d.]+ 1$/);
    expect(readFileSync(join(first!, "params/seed"), "utf8")).toBe("0");
    expect(readFileSync(join(folder, "ml", readdirSync(join(folder, "ml"))[0]!, "meta.yaml"), "utf8")).toMatch(
      /experiment_id: "\d{17,18}"/,
    );
  });

  test("is an offline run of W&B for each seed", () => {
    const [first] = exportWandb(run, join(folder, "wb"), { at });
    expect(first).toMatch(/wandb\/offline-run-20231114_221320-[0-9a-f]{8}$/);
    const [log] = readdirSync(first!).filter((name) => /^run-[0-9a-f]{8}\.wandb$/.test(name));
    const bytes = readFileSync(join(first!, log!));
    expect(bytes.includes("train/loss")).toBe(true);
    expect(bytes.includes("seed 0")).toBe(true);
    if (process.env.KEEP) console.log(folder);
  });
});
