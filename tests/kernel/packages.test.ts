import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { notebookOf } from "../../kernel/notebook/nbformat.ts";
import { ensurePackages, packagesFolder, pinsOf } from "../../kernel/notebook/packages.ts";
import { channels, serve } from "../server/support.ts";
import { temporaryFolder } from "./support/kernel.ts";

const root = new URL("../..", import.meta.url).pathname;
const code = (source: string) => ({
  cell_type: "code",
  id: "a",
  metadata: {},
  source,
  outputs: [],
  execution_count: null,
});
const book = (source: string, packages?: Record<string, unknown>) =>
  notebookOf({ nbformat: 4, metadata: packages ? { thalweg: { packages } } : {}, cells: [code(source)] });

test("packages are pinned in cells and metadata, to one exact version, by real names", () => {
  expect(pinsOf(book("// npm: b@1.2.3, @scope/a@0.0.1-rc.1\n1", { c: "3.0.0" }))).toEqual({
    "@scope/a": "0.0.1-rc.1",
    b: "1.2.3",
    c: "3.0.0",
  });
  expect(pinsOf(book("const text = 'npm: x'"))).toEqual({});
  expect(() => pinsOf(book("// npm: b"))).toThrow("b must be pinned to an exact version, as in b@1.2.3, got undefined");
  expect(() => pinsOf(book("// npm: b@^1.0.0"))).toThrow("exact version");
  expect(() => pinsOf(book("// npm: b@git+https://x/y"))).toThrow("exact version");
  expect(() => pinsOf(book("// npm: ../evil@1.0.0"))).toThrow("name of an npm package");
  expect(() => pinsOf(book("// npm: b@1.0.0", { b: "2.0.0" }))).toThrow(
    "one version of b is required, got 2.0.0 and 1.0.0",
  );
});

describe("a registry of one package", () => {
  let url = "";
  let asked = 0;
  const server = createServer();
  beforeAll(async () => {
    const folder = temporaryFolder();
    const manifest = {
      name: "tiny",
      version: "1.0.0",
      main: "index.js",
      types: "index.d.ts",
      scripts: { postinstall: "node -e \"require('fs').writeFileSync('owned','')\"" },
    };
    mkdirSync(join(folder, "package"));
    writeFileSync(join(folder, "package/package.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "package/index.js"), "exports.twice = (n) => 2 * n;");
    writeFileSync(join(folder, "package/index.d.ts"), "export declare function twice(n: number): number;");
    execFileSync("tar", ["-czf", "tiny.tgz", "package"], { cwd: folder });
    const tarball = readFileSync(join(folder, "tiny.tgz"));
    const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
    server.on("request", (request, response) => {
      asked++;
      if (request.url === "/tiny.tgz") {
        response.end(tarball);
        return;
      }
      const dist = { tarball: `${url}/tiny.tgz`, integrity };
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          name: "tiny",
          "dist-tags": { latest: "1.0.0" },
          versions: { "1.0.0": { ...manifest, dist } },
        }),
      );
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    process.env.npm_config_registry = url;
    process.env.npm_config_cache = join(folder, "cache");
  });
  afterAll(() => {
    delete process.env.npm_config_registry;
    delete process.env.npm_config_cache;
    server.close();
  });

  it("is asked only when a person agreed, and then by the lock; scripts of packages do not run", {
    timeout: 60_000,
  }, async () => {
    const folder = temporaryFolder();
    const path = join(folder, "n.ipynb");
    const notebook = book("// npm: tiny@1.0.0\nimport { twice } from 'tiny'\ntwice(21)");
    const file = join(folder, "config/packages.json");
    const questions: string[] = [];
    const no = async (question: string) => questions.push(question) < 0;
    await expect(ensurePackages(path, notebook, { file, given: false, ask: undefined })).rejects.toThrow(
      "nobody agreed",
    );
    await expect(ensurePackages(path, notebook, { file, given: false, ask: no })).rejects.toThrow("say --install");
    expect(questions).toEqual([expect.stringContaining("asks for tiny@1.0.0 from npm")]);
    expect([asked, existsSync(join(folder, ".thalweg"))]).toEqual([0, false]);
    const installed = await ensurePackages(path, notebook, { file, given: false, ask: async () => true });
    expect(installed).toBe(packagesFolder(path));
    expect(existsSync(join(installed!, "node_modules/tiny/index.js"))).toBe(true);
    expect(existsSync(join(installed!, "node_modules/tiny/owned"))).toBe(false);
    const lock = readFileSync(join(installed!, "package-lock.json"), "utf8");
    expect(lock).toContain("sha512-");
    const before = asked;
    await ensurePackages(path, notebook, { file, given: false, ask: no });
    expect(asked, "what is there is not asked for").toBe(before);
    rmSync(join(installed!, "node_modules"), { recursive: true });
    await ensurePackages(path, notebook, { file, given: false, ask: no });
    expect(questions, "the user agreed to these of this notebook").toHaveLength(1);
    expect(readFileSync(join(installed!, "package-lock.json"), "utf8")).toBe(lock);
    await expect(
      ensurePackages(join(folder, "other.ipynb"), notebook, { file, given: false, ask: undefined }),
    ).rejects.toThrow("nobody agreed");
  });

  it("to open a notebook asks nobody and installs nothing; its kernel uses what was installed before", {
    timeout: 60_000,
  }, async () => {
    const pinned = { ...code("// npm: tiny@1.0.0\nimport { twice } from 'tiny'\ntwice(4)") };
    const tested = await serve();
    const { ask, root: folder } = tested;
    writeFileSync(
      join(folder, "n.ipynb"),
      JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [pinned] }),
    );
    const before = asked;
    await ask("GET", "/api/contents/n.ipynb");
    const session = { path: "n.ipynb", type: "notebook", name: "n", kernel: { name: "thalweg" } };
    const first = await ask("POST", "/api/sessions", session);
    const run = async (id: string) => {
      const client = await channels(tested, id);
      const done = client.execute(pinned.source);
      await client.reply(done);
      const said = client.about(done).map(({ message }) => JSON.stringify(message.content));
      client.socket.close();
      return said.join("\n");
    };
    expect(await run(first.json.kernel.id)).toMatch(/Cannot find package 'tiny'/);
    expect([asked, existsSync(join(folder, ".thalweg"))]).toEqual([before, false]);
    await ask("DELETE", `/api/sessions/${first.json.id}`);
    const path = join(folder, "n.ipynb");
    await ensurePackages(path, book(pinned.source), { file: join(folder, "c/p.json"), given: true, ask: undefined });
    const second = await ask("POST", "/api/sessions", session);
    expect(await run(second.json.kernel.id)).toContain('"8"');
  });

  it("thalweg run installs what a notebook pins when told to, and its cells import it, with its types", {
    timeout: 60_000,
  }, async () => {
    const folder = temporaryFolder();
    const path = join(folder, "n.ts");
    writeFileSync(
      path,
      "// %%\n// npm: tiny@1.0.0\nimport { twice } from 'tiny'\nconsole.log('got', twice(21))\n\n// %%\nconst wrong: string = twice(1)\n",
    );
    const { spawn } = await import("node:child_process");
    const cli = (...args: string[]) =>
      new Promise<{ status: number | null; text: string }>((done) => {
        const child = spawn(
          process.execPath,
          ["--import", "tsx", join(root, "kernel/cli.ts"), "run", path, "--no-preload", "--out", folder, ...args],
          {
            cwd: root,
            env: { ...process.env, XDG_CONFIG_HOME: join(folder, "config") },
          },
        );
        let text = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
        child.once("close", (status) => done({ status, text }));
      });
    const refused = await cli("--types", "off");
    expect(refused).toMatchObject({
      status: 2,
      text: expect.stringContaining("asks for tiny@1.0.0, and nobody agreed"),
    });
    const ran = await cli("--install");
    expect(ran.text).toContain("got 42");
    expect(ran.text, "its types are known").toContain("Type 'number' is not assignable to type 'string'");
    expect(ran.status).toBe(0);
  });
});

test("tar is there for the registry of this test", () => {
  expect(spawnSync("tar", ["--version"]).status).toBe(0);
});
