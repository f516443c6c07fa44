/** A save was answered before its folder was on the disk: a power failure then brought back the file as it was before. */
import { expect, test, vi } from "vitest";
import { writeAtomically } from "../../kernel/server/disk.ts";
import { fakeDisk } from "../support/fake-disk.ts";

const { disk } = vi.hoisted(() => ({ disk: {} as { now: ReturnType<typeof fakeDisk> } }));
vi.mock("node:fs/promises", () => {
  const name = (which: "open" | "chmod" | "rename" | "rm" | "stat") =>
    ((...given: never[]) => (disk.now.promises[which] as (...all: never[]) => unknown)(...given)) as never;
  return { open: name("open"), chmod: name("chmod"), rename: name("rename"), rm: name("rm"), stat: name("stat") };
});

test("after a save only the new file can be read, whenever the power fails", async () => {
  disk.now = fakeDisk();
  disk.now.begin("/folder/file", "old");
  await writeAtomically("/folder/file", "new");
  expect(disk.now.seen.at(-1)).toEqual(["new"]);
});
