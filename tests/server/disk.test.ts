import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { writeAtomically } from "../../kernel/server/disk.ts";
import { fakeDisk, trial } from "../support/fake-disk.ts";
import { temporary } from "./support.ts";

const { disk, real } = vi.hoisted(() => ({
  disk: { now: undefined as ReturnType<typeof fakeDisk> | undefined },
  real: { open: undefined as unknown },
}));
vi.mock("node:fs/promises", async (original) => {
  const own = await original<typeof import("node:fs/promises")>();
  real.open = own.open;
  const either = (name: "open" | "chmod" | "rename" | "rm" | "stat") =>
    ((...given: never[]) => {
      const fake = disk.now?.promises[name] as ((...all: never[]) => unknown) | undefined;
      return (fake ?? (own[name] as (...all: never[]) => unknown))(...given);
    }) as never;
  return {
    ...own,
    open: either("open"),
    chmod: either("chmod"),
    rename: either("rename"),
    rm: either("rm"),
    stat: either("stat"),
  };
});

test("a save is whole whatever fails and whenever the power does, and lasts when it is answered", async () => {
  disk.now = fakeDisk();
  try {
    const { broken, calls } = await trial(disk.now, writeAtomically);
    expect(broken).toEqual([]);
    expect(calls).toEqual(["open wx", "write", "sync", "close", "chmod", "rename", "open r", "sync", "close"]);
  } finally {
    disk.now = undefined;
  }
});

test("a save that does less is found out", async () => {
  const plain = fakeDisk();
  const careless = async (path: string, text: string, steps: { sync?: boolean; rename?: boolean }) => {
    const to = steps.rename ? `${path}.tmp` : path;
    const handle = await plain.promises.open(to, "w");
    await handle.writeFile(text);
    if (steps.sync) await handle.sync();
    await handle.close();
    if (steps.rename) await plain.promises.rename(to, path);
  };
  const found = async (steps: { sync?: boolean; rename?: boolean }) =>
    (await trial(plain, (path, text) => careless(path, text, steps))).broken.join("\n");
  expect(await found({})).toContain('a power failure after open w leaves ""');
  expect(await found({ rename: true })).toContain('a power failure after rename leaves ""');
  expect(await found({ sync: true, rename: true })).toContain("a power failure after it is saved leaves");
  expect(await found({ sync: true, rename: true })).not.toContain('leaves ""');
  expect(await found({ sync: true, rename: true })).toContain("leaves /folder/file, /folder/file.tmp");
});

test("a server that is killed while it saves leaves the file as one of the saves made it", {
  timeout: 120_000,
}, async () => {
  const folder = temporary();
  const file = join(folder, "notebook.ipynb");
  const program = join(folder, "save.mts");
  const from = JSON.stringify(new URL("../../kernel/server/disk.ts", import.meta.url).href);
  writeFileSync(file, "a".repeat(3e6));
  writeFileSync(
    program,
    `import { writeAtomically } from ${from};
    process.stdout.write("ready");
    for (let i = 0; ; i++) await writeAtomically(${JSON.stringify(file)}, "abcdefgh"[i % 8].repeat(3e6 + i % 5));`,
  );
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), program], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 20 + 37 * round));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const text = readFileSync(file, "utf8");
    expect([new Set(text).size, text.length >= 3e6]).toEqual([1, true]);
  }
  const left = readdirSync(folder).filter((name) => !["notebook.ipynb", "save.mts"].includes(name));
  expect(left.every((name) => /^\.notebook\.ipynb\.\w{8}\.tmp$/.test(name))).toBe(true); // hidden, and never opened
});
