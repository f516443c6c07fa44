/**
 * A disk in memory that can fail at any call, and that knows what a power failure may leave: of what was not brought to the disk, contents
 * may be there in part or not at all, and changes of names in any number of the first of them. Only what saving files asks for is there.
 */
import { dirname } from "node:path";

/** A change of names that is not on the disk yet. */
type Pending =
  | { readonly kind: "link"; readonly path: string; readonly node: number }
  | { readonly kind: "rename"; readonly from: string; readonly to: string }
  | { readonly kind: "unlink"; readonly path: string };

export type FakeDisk = ReturnType<typeof fakeDisk>;

const failure = (code: string): NodeJS.ErrnoException => Object.assign(new Error(`${code}: made to fail`), { code });

function changed(names: Map<string, number>, change: Pending): void {
  if (change.kind === "link") names.set(change.path, change.node);
  else if (change.kind === "unlink") names.delete(change.path);
  else {
    const node = names.get(change.from);
    names.delete(change.from);
    if (node !== undefined) names.set(change.to, node);
  }
}

export function fakeDisk() {
  const names = new Map<string, number>();
  const contents = new Map<number, string>();
  const lasting = { names: new Map<string, number>(), contents: new Map<number, string>() };
  let pending: Pending[] = [];
  const files = new Map<number, { path: string; node: number | undefined }>();
  let next = 1;
  const calls: string[] = [];
  const seen: (readonly (string | undefined)[])[] = [];
  let watched = "";
  let failing: { at: number; code: string; short: boolean } | undefined;

  /** Every call: it is counted, may fail, and afterwards the power may. */
  function call<T>(name: string, work: () => T): T {
    calls.push(name);
    if (failing !== undefined && calls.length - 1 === failing.at && !failing.short) throw failure(failing.code);
    const result = work();
    seen.push(afterPowerFailure(watched));
    return result;
  }
  function change(one: Pending): void {
    changed(names, one);
    pending.push(one);
  }

  /** All that could be read at a path after a power failure now; undefined where there would be no file. */
  function afterPowerFailure(path: string): readonly (string | undefined)[] {
    const outcomes = new Set<string | undefined>();
    for (let kept = 0; kept <= pending.length; kept++) {
      const then = new Map(lasting.names);
      for (const one of pending.slice(0, kept)) changed(then, one);
      const node = then.get(path);
      if (node === undefined) outcomes.add(undefined);
      else {
        const [there, now] = [lasting.contents.get(node) ?? "", contents.get(node) ?? ""];
        outcomes.add(there);
        if (there !== now) for (const text of [now, now.slice(0, now.length >> 1), ""]) outcomes.add(text);
      }
    }
    return [...outcomes];
  }

  const open = (path: string, how: string) =>
    call(`open ${how}`, () => {
      const folder = [...names.keys()].some((name) => dirname(name) === path);
      if (how === "r" && !folder && !names.has(path)) throw failure("ENOENT");
      if (how === "wx" && names.has(path)) throw failure("EEXIST");
      if (how.startsWith("w")) {
        contents.set(next, "");
        change({ kind: "link", path, node: next });
        next++;
      }
      const id = 1000 + next++;
      files.set(id, { path, node: names.get(path) });
      return id;
    });
  const write = (id: number, data: Uint8Array | string, at = 0, length?: number) =>
    call("write", () => {
      const text =
        typeof data === "string" ? data : new TextDecoder().decode(data.subarray(at, at + (length ?? data.length)));
      const node = files.get(id)!.node!;
      // A disk that fills up takes a part, and then nothing.
      const full = failing?.short === true && calls.length - 1 >= failing.at;
      const taken = full ? (calls.length - 1 === failing!.at ? text.slice(0, text.length >> 1) : "") : text;
      contents.set(node, contents.get(node)! + taken);
      return taken.length;
    });
  const sync = (id: number) =>
    call("sync", () => {
      const { path, node } = files.get(id)!;
      if (node !== undefined) lasting.contents.set(node, contents.get(node)!);
      else {
        const here = (one: Pending) => dirname(one.kind === "rename" ? one.to : one.path) === path;
        for (const one of pending.filter(here)) changed(lasting.names, one);
        pending = pending.filter((one) => !here(one));
      }
    });
  const close = (id: number) => call("close", () => void files.delete(id));
  const rename = (from: string, to: string) => call("rename", () => change({ kind: "rename", from, to }));
  const remove = (path: string) => {
    if (names.has(path)) change({ kind: "unlink", path });
  };
  const stat = (path: string) => {
    if (!names.has(path)) throw failure("ENOENT");
    return { mode: 0o644 };
  };

  return {
    /** Puts a file there that is on the disk already, and begins to count. What can be read there is watched. */
    begin(path: string, text: string): void {
      for (const all of [names, contents, files, lasting.names, lasting.contents]) all.clear();
      pending = [];
      failing = undefined;
      names.set(path, 0);
      lasting.names.set(path, 0);
      contents.set(0, text);
      lasting.contents.set(0, text);
      watched = path;
      calls.length = seen.length = 0;
    },
    /** Makes one call fail, by its place; or, with `short`, take half of what it is given and no more after that. */
    fail(at: number, code: string, short = false): void {
      failing = { at, code, short };
    },
    calls,
    /** What could be read after a power failure, after each call. */
    seen,
    read: (path: string): string | undefined => contents.get(names.get(path) ?? -1),
    list: (): string[] => [...names.keys()],
    openFiles: (): number => files.size,
    sync: {
      openSync: open,
      writeSync: write,
      fsyncSync: sync,
      closeSync: close,
      renameSync: rename,
      rmSync: remove,
    },
    promises: {
      open: async (path: string, how: string) => {
        const id = open(path, how);
        return {
          writeFile: async (data: Uint8Array | string) => {
            const length = typeof data === "string" ? data.length : data.length;
            if (write(id, data) < length) throw failure("ENOSPC");
          },
          sync: async () => sync(id),
          close: async () => close(id),
        };
      },
      chmod: async () => call("chmod", () => {}),
      rename: async (from: string, to: string) => rename(from, to),
      rm: async (path: string) => remove(path),
      stat: async (path: string) => stat(path),
    },
  };
}

/** What saving a file promises, asked of one way to save: whole whatever fails, and lasting when it says so. */
export interface Saved {
  /** What went wrong, in sentences; empty when all is kept. */
  readonly broken: readonly string[];
  /** The calls of a save that goes well. */
  readonly calls: readonly string[];
}

/** Tries a way to save: a power failure after each call, and each call failing in each way. */
export async function trial(disk: FakeDisk, save: (path: string, text: string) => unknown): Promise<Saved> {
  const [path, old, fresh] = ["/folder/file", "what was there", "what is to be there, and longer"];
  const broken: string[] = [];
  disk.begin(path, old);
  await save(path, fresh);
  const calls = [...disk.calls];
  const said = (outcome: string | undefined) => (outcome === undefined ? "no file" : `"${outcome}"`);
  disk.seen.forEach((outcomes, i) => {
    for (const outcome of outcomes)
      if (outcome !== old && outcome !== fresh)
        broken.push(`a power failure after ${calls[i]} leaves ${said(outcome)}`);
  });
  const last = disk.seen.at(-1)!;
  if (last.length !== 1 || last[0] !== fresh)
    broken.push(`a power failure after it is saved leaves ${last.map(said).join(" or ")}`);

  const ways = ["ENOSPC", "EIO", "EDQUOT"].map((code) => ({ code, short: false }));
  for (const [at, name] of calls.entries())
    for (const { code, short } of [...ways, ...(name === "write" ? [{ code: "ENOSPC", short: true }] : [])]) {
      disk.begin(path, old);
      disk.fail(at, code, short);
      const error = await Promise.resolve()
        .then(() => save(path, fresh))
        .then(
          () => undefined,
          (thrown: NodeJS.ErrnoException) => thrown,
        );
      const renamed = disk.calls.indexOf("rename");
      const expected = renamed >= 0 && at > renamed ? fresh : old;
      const where = `${code}${short ? " in the middle" : ""} at ${name}`;
      if (disk.read(path) !== expected) broken.push(`${where} leaves ${said(disk.read(path))}`);
      if (expected === old && error?.code !== code) broken.push(`${where} is not told, but ${String(error)}`);
      if (disk.list().length !== 1) broken.push(`${where} leaves ${disk.list().join(", ")}`);
      if (disk.openFiles() > 0 && name !== "close") broken.push(`${where} leaves a file open`);
    }
  return { broken, calls };
}
