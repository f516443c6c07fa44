import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { serve, temporary } from "./support.ts";

const cell = (source: string, outputs: unknown[] = [], metadata = {}) => ({
  cell_type: "code",
  id: "a1",
  metadata,
  source,
  execution_count: null,
  outputs,
});
const notebook = (...cells: unknown[]) => ({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
const html = (text: string) => ({ output_type: "display_data", data: { "text/html": text }, metadata: {} });

describe("files and folders", () => {
  test("a notebook is saved as Jupyter writes it, and read back as it was", async () => {
    const { ask, root } = await serve();
    const content = {
      ...notebook(cell("const a = 1\na")),
      metadata: { kernelspec: { name: "python3", display_name: "P" } },
    };
    const saved = await ask("PUT", "/api/contents/a%20b.ipynb", { type: "notebook", content });
    expect([saved.status, saved.json.path, saved.json.type]).toEqual([201, "a b.ipynb", "notebook"]);
    const disk = JSON.parse(readFileSync(join(root, "a b.ipynb"), "utf8"));
    expect(disk.cells[0].source).toEqual(["const a = 1\n", "a"]);
    expect(disk.metadata).toEqual(content.metadata);
    const { json } = await ask("GET", "/api/contents/a%20b.ipynb?hash=1");
    expect(json.content.cells[0].source).toBe("const a = 1\na");
    expect(json.content.metadata).toEqual(content.metadata);
    expect(json.hash).toBe(
      createHash("sha256")
        .update(readFileSync(join(root, "a b.ipynb")))
        .digest("hex"),
    );
    expect(json.last_modified).toBe(statSync(join(root, "a b.ipynb")).mtime.toISOString());
    expect((await ask("PUT", "/api/contents/a%20b.ipynb", { type: "notebook", content })).status).toBe(200);
  });

  test("folders list what is in them; text, bytes and types are told apart", async () => {
    const { ask, root } = await serve();
    mkdirSync(join(root, "d"));
    writeFileSync(join(root, "d", "x.ts"), "const a = 1 // ü");
    writeFileSync(join(root, "d", "y.png"), Buffer.from([0x89, 0x50, 0xff, 0xfe]));
    const { json } = await ask("GET", "/api/contents/d");
    expect(
      json.content.map(({ path, type, content }: Record<string, unknown>) => [path, type, content]).sort(),
    ).toEqual([
      ["d/x.ts", "file", null],
      ["d/y.png", "file", null],
    ]);
    expect((await ask("GET", "/api/contents/d/x.ts")).json).toMatchObject({
      format: "text",
      content: "const a = 1 // ü",
    });
    expect((await ask("GET", "/api/contents/d/y.png")).json).toMatchObject({ format: "base64", content: "iVD//g==" });
    expect((await ask("GET", "/api/contents/d/y.png?format=text")).status).toBe(400);
    expect((await ask("GET", "/api/contents/d?type=file")).status).toBe(400);
    expect((await ask("GET", "/api/contents/nothing")).status).toBe(404);
    const raw = await ask("GET", "/files/d/x.ts?download=1");
    expect(raw.headers["content-disposition"]).toContain("attachment");
  });

  test("new files and copies get names that are free; renaming never overwrites", async () => {
    const { ask } = await serve();
    const make = async (body: unknown) => (await ask("POST", "/api/contents", body)).json.path;
    expect(await make({ type: "notebook" })).toBe("Untitled.ipynb");
    expect(await make({ type: "notebook" })).toBe("Untitled1.ipynb");
    expect(await make({ type: "file", ext: ".ts" })).toBe("untitled.ts");
    expect(await make({ type: "directory" })).toBe("Untitled Folder");
    expect(await make({ copy_from: "Untitled.ipynb" })).toBe("Untitled-Copy1.ipynb");
    expect((await ask("PATCH", "/api/contents/Untitled.ipynb", { path: "Untitled1.ipynb" })).status).toBe(409);
    expect((await ask("PATCH", "/api/contents/Untitled.ipynb", { path: "Untitled Folder/new.ipynb" })).json.path).toBe(
      "Untitled Folder/new.ipynb",
    );
    expect((await ask("DELETE", "/api/contents/Untitled%20Folder")).status).toBe(400);
    expect((await ask("DELETE", "/api/contents/Untitled%20Folder/new.ipynb")).status).toBe(204);
    expect((await ask("DELETE", "/api/contents/Untitled%20Folder")).status).toBe(204);
    expect((await ask("DELETE", "/api/contents/")).status).toBe(405);
    expect((await ask("GET", "/api/contents")).json.content).toHaveLength(3);
  });

  test("uploads in pieces become one file", async () => {
    const { ask, root } = await serve();
    const bytes = Buffer.from(Array.from({ length: 300 }, (_, i) => i % 256));
    for (const [chunk, part] of [
      [1, bytes.subarray(0, 100)],
      [2, bytes.subarray(100, 200)],
      [-1, bytes.subarray(200)],
    ] as const)
      await ask("PUT", "/api/contents/b.bin", {
        type: "file",
        format: "base64",
        chunk,
        content: part.toString("base64"),
      });
    expect(readFileSync(join(root, "b.bin")).equals(bytes)).toBe(true);
  });

  test("a checkpoint brings the earlier state back, and goes where its file goes", async () => {
    const { ask, root } = await serve();
    const write = (content: string) => ask("PUT", "/api/contents/a.ts", { type: "file", format: "text", content });
    await write("one");
    expect((await ask("GET", "/api/contents/a.ts/checkpoints")).json).toEqual([]);
    expect((await ask("POST", "/api/contents/a.ts/checkpoints")).json.id).toBe("checkpoint");
    await write("two");
    await ask("PATCH", "/api/contents/a.ts", { path: "b.ts" });
    expect((await ask("GET", "/api/contents/b.ts/checkpoints")).json).toHaveLength(1);
    expect((await ask("POST", "/api/contents/b.ts/checkpoints/checkpoint")).status).toBe(204);
    expect(readFileSync(join(root, "b.ts"), "utf8")).toBe("one");
    expect((await ask("POST", "/api/contents/b.ts/checkpoints/other")).status).toBe(404);
    expect((await ask("DELETE", "/api/contents/b.ts/checkpoints/checkpoint")).status).toBe(204);
    expect((await ask("GET", "/api/contents/b.ts/checkpoints")).json).toEqual([]);
  });

  test("a broken notebook is told in a sentence, is left as it is, and opens as text", async () => {
    const { ask, root } = await serve();
    for (const text of ['{"cells": [', '{"nbformat": 3, "worksheets": []}', "[1]", '"x"']) {
      writeFileSync(join(root, "broken.ipynb"), text);
      const { status, json } = await ask("GET", "/api/contents/broken.ipynb");
      expect(status).toBe(400);
      expect(json.message).toMatch(/^broken\.ipynb is not a readable notebook: .*It was left as it is/);
      expect((await ask("GET", "/api/contents/broken.ipynb?type=file")).json.content).toBe(text);
      expect(readFileSync(join(root, "broken.ipynb"), "utf8")).toBe(text);
    }
    writeFileSync(join(root, "empty.ipynb"), "");
    expect((await ask("GET", "/api/contents/empty.ipynb")).json.content.cells).toEqual([]);
  });

  test("what is not a notebook is not saved over one", async () => {
    const { ask, root } = await serve();
    writeFileSync(join(root, "n.ipynb"), JSON.stringify(notebook(cell("1"))));
    const before = readFileSync(join(root, "n.ipynb"), "utf8");
    for (const body of [
      { type: "notebook", content: null },
      { type: "notebook", content: { cells: 1 } },
      { type: "other" },
      {},
    ])
      expect((await ask("PUT", "/api/contents/n.ipynb", body)).status).toBe(400);
    expect(readFileSync(join(root, "n.ipynb"), "utf8")).toBe(before);
  });

  test("saves that meet are one after the other, and leave nothing behind", async () => {
    const { ask, root } = await serve();
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(50_000));
    await Promise.all(
      texts.map((content) => ask("PUT", "/api/contents/a.txt", { type: "file", format: "text", content })),
    );
    expect(texts).toContain(readFileSync(join(root, "a.txt"), "utf8"));
    expect(readdirSync(root)).toEqual(["a.txt"]);
  });

  test("when the disk is full, the old file stays and the answer says so", { timeout: 30_000 }, async () => {
    const root = temporary();
    writeFileSync(join(root, "n.ipynb"), JSON.stringify(notebook(cell("old"))));
    const script = `
      import { startServer } from ${JSON.stringify(new URL("../../kernel/server/server.ts", import.meta.url).href)};
      const server = await startServer({ root: ${JSON.stringify(root)}, config: ${JSON.stringify(temporary())}, token: "t" });
      const content = ${JSON.stringify(notebook(cell("x".repeat(2_000_000))))};
      const answer = await fetch("http://127.0.0.1:" + server.port + "/api/contents/n.ipynb", { method: "PUT",
        headers: { authorization: "token t" }, body: JSON.stringify({ type: "notebook", content }) });
      console.log(answer.status, await answer.text());
      await server.close();`;
    writeFileSync(join(root, "full.mts"), script);
    // Files of this process may have 200 blocks: a disk that fills up while it writes.
    const child = spawn(
      "bash",
      ["-c", `ulimit -f 200; exec "${process.execPath}" --import ${import.meta.resolve("tsx")} full.mts`],
      { cwd: root },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
    await new Promise((resolve) => child.once("close", resolve));
    expect(output).toMatch(/^507 .*There is no room on the disk/m);
    expect(JSON.parse(readFileSync(join(root, "n.ipynb"), "utf8")).cells[0].source).toBe("old");
    expect(readdirSync(root).sort()).toEqual(["full.mts", "n.ipynb"]);
  });

  test("only outputs of the user's own kernels are trusted, and only as they were", async () => {
    const { ask, root } = await serve();
    const trusted = async () => (await ask("GET", "/api/contents/n.ipynb")).json.content.cells[0].metadata.trusted;
    await ask("PUT", "/api/contents/n.ipynb", {
      type: "notebook",
      content: notebook(cell("1", [html("<b>mine</b>")], { trusted: true })),
    });
    expect(await trusted()).toBe(true);
    expect(readFileSync(join(root, "n.ipynb"), "utf8")).not.toContain("trusted");
    const disk = readFileSync(join(root, "n.ipynb"), "utf8");
    writeFileSync(join(root, "n.ipynb"), disk.replace("mine", "theirs"));
    expect(await trusted()).toBe(false);
    // A file that says so itself is not believed.
    writeFileSync(join(root, "n.ipynb"), JSON.stringify(notebook(cell("1", [html("<i>x</i>")], { trusted: true }))));
    expect(await trusted()).toBe(false);
    await ask("PUT", "/api/contents/n.ipynb", { type: "notebook", content: notebook(cell("1", [html("<i>x</i>")])) });
    expect(await trusted()).toBe(false);
  });

  test("a notebook of 5 MB opens and saves in well under a second", async () => {
    const { ask, root } = await serve();
    const cells = Array.from({ length: 50 }, (_, i) => ({
      ...cell(`x${i}`, [html("y".repeat(100_000))]),
      id: `c${i}`,
    }));
    const started = performance.now();
    await ask("PUT", "/api/contents/big.ipynb", { type: "notebook", content: notebook(...cells) });
    const { json } = await ask("GET", "/api/contents/big.ipynb");
    expect(json.size).toBeGreaterThan(5_000_000);
    expect(json.content.cells).toHaveLength(50);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(statSync(join(root, "big.ipynb")).size).toBe(json.size);
  });
});

test("settings are kept for the next server, and unknown ones refused", async () => {
  const app = temporary();
  const schema = { type: "object", properties: { theme: { type: "string", default: "light" } } };
  writeFileSync(join(app, "schemas.json"), JSON.stringify([{ id: "@x/y:z", version: "1", schema }]));
  const config = temporary();
  const first = await serve({ app, config });
  expect((await first.ask("GET", "/lab/api/settings")).json.settings[0]).toMatchObject({
    id: "@x/y:z",
    raw: "{}",
    schema,
  });
  expect((await first.ask("PUT", "/lab/api/settings/@x/y:z", { raw: '{ "theme": "dark" } // mine' })).status).toBe(204);
  const second = await serve({ app, config });
  expect((await second.ask("GET", "/lab/api/settings/@x/y:z")).json.raw).toContain("// mine");
  expect((await second.ask("PUT", "/lab/api/settings/@x/other:z", { raw: "{}" })).status).toBe(404);
});

describe("the layout of the page", () => {
  test("comes back without the tabs whose document is gone or broken; an editor may show what is broken", async () => {
    const { ask, root } = await serve();
    writeFileSync(join(root, "good.ipynb"), "");
    writeFileSync(join(root, "broken.ipynb"), '{"cells": [');
    const tab = (path: string, factory: string) => ({ data: { path, factory } });
    const kept = {
      "layout-restorer:data": { main: null },
      "notebook:good.ipynb": tab("good.ipynb", "Notebook"),
      "editor:broken.ipynb": tab("broken.ipynb", "Editor"),
    };
    const lost = {
      "notebook:broken.ipynb": tab("broken.ipynb", "Notebook"),
      "notebook:gone.ipynb": tab("gone.ipynb", "Notebook"),
    };
    const metadata = { id: "default" };
    await ask("PUT", "/lab/api/workspaces/default", { data: { ...kept, ...lost }, metadata });
    expect((await ask("GET", "/lab/api/workspaces/default")).json).toEqual({ data: kept, metadata });
    expect((await ask("GET", "/lab/api/workspaces/new")).json).toEqual({ data: {}, metadata: { id: "new" } });
  });
});
