import { expect, test, vi } from "vitest";
import { writeAtomically } from "../../lib/runs/parts/files.ts";
import { fakeDisk, trial } from "../support/fake-disk.ts";

const { disk } = vi.hoisted(() => ({ disk: { now: undefined as ReturnType<typeof fakeDisk> | undefined } }));
vi.mock("node:fs", async (original) => {
  const own = await original<typeof import("node:fs")>();
  const names = ["openSync", "writeSync", "fsyncSync", "closeSync", "renameSync", "rmSync"] as const;
  const either = (name: (typeof names)[number]) =>
    ((...given: never[]) => {
      const fake = disk.now?.sync[name] as ((...all: never[]) => unknown) | undefined;
      return (fake ?? (own[name] as (...all: never[]) => unknown))(...given);
    }) as never;
  return { ...own, ...Object.fromEntries(names.map((name) => [name, either(name)])) };
});

test("a file of a record is whole whatever fails and whenever the power does, and lasts when it is written", async () => {
  disk.now = fakeDisk();
  try {
    const { broken, calls } = await trial(disk.now, writeAtomically);
    expect(broken).toEqual([]);
    expect(calls).toEqual(["open w", "write", "sync", "close", "rename", "open r", "sync", "close"]);
  } finally {
    disk.now = undefined;
  }
});
