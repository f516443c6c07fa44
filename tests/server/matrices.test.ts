/** Who may ask for what, as tables: every route without a right, every origin at every door, every spelling of a path at every API. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { place } from "../../kernel/server/paths.ts";
import { routes } from "../../kernel/server/routes.ts";
import { folderFor } from "../../kernel/server/sessions.ts";
import { emptyPage, knock, serve, temporary } from "./support.ts";

/** An address for every route; the test says when one has none. */
const addresses = [
  "/api",
  "/api/status",
  "/api/me",
  "/api/shutdown",
  "/api/kernelspecs",
  "/api/kernelspecs/thalweg",
  "/kernelspecs/thalweg/logo-svg.svg",
  "/static/favicon.svg",
  "/favicon.ico",
  "/api/kernels",
  "/api/kernels/x",
  "/api/kernels/x/interrupt",
  "/api/kernels/x/restart",
  "/api/sessions",
  "/api/sessions/x",
  "/api/contents",
  "/api/contents/in.txt",
  "/api/contents/in.txt/checkpoints",
  "/api/contents/in.txt/checkpoints/checkpoint",
  "/files/in.txt",
  "/lab/api/settings",
  "/lab/api/settings/x",
  "/lab/api/workspaces",
  "/lab/api/workspaces/x",
  "/api/config/x",
  "/api/nbconvert",
  "/api/terminals",
];
/** What is no route: the page, its files, and what is not there. */
const others = ["/", "/lab", "/lab/tree/in.txt", "/tree", "/notebooks/in.txt", "/static/app/main.js", "/static/", "/x"];

describe("every route", () => {
  const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

  test("has an address in the table", () => {
    const without = routes.filter(([, pattern]) => !addresses.some((path) => pattern.test(path)));
    expect(without.map(([method, pattern]) => `${method} ${pattern}`)).toEqual([]);
  });

  test("is closed to whoever has no token, by whatever method, whatever else is said, and says nothing of what is there", async () => {
    let ended = false;
    const { raw, root, server } = await serve({ app: emptyPage(), onShutdown: () => (ended = true) });
    writeFileSync(join(root, "in.txt"), "inside");
    const claims: Record<string, string>[] = [
      {},
      { authorization: "token " },
      { authorization: `Basic ${Buffer.from(`:${server.token}`).toString("base64")}` },
      { cookie: `thalweg-${server.port}=` },
      { cookie: `thalweg-${server.port}=undefined; token=${server.token}` },
      { "x-forwarded-for": "127.0.0.1", "x-xsrftoken": server.token },
      { origin: `http://127.0.0.1:${server.port}`, "sec-fetch-site": "same-origin" },
    ];
    const open: string[] = [];
    for (const path of [...addresses, ...others])
      for (const method of methods)
        for (const claim of claims) {
          const { status, text } = await raw(method, path, claim);
          if (status !== 403 || text.includes("inside") || text.includes(server.token))
            open.push(`${method} ${path} ${JSON.stringify(claim)}: ${status}`);
        }
    expect(open).toEqual([]);
    expect([ended, server.kernelCount, readFileSync(join(root, "in.txt"), "utf8")]).toEqual([false, 0, "inside"]);
  });
});

describe("every origin", () => {
  const at = (port: number) => ({
    none: undefined,
    own: `http://127.0.0.1:${port}`,
    null: "null",
    "another port": `http://127.0.0.1:${port + 1}`,
    "another scheme": `https://127.0.0.1:${port}`,
    "no port": "http://127.0.0.1",
    "another site": "https://evil.example",
    "a site that begins like ours": `http://127.0.0.1:${port}.evil.example`,
    "a site that ends like ours": `http://evil.example:${port}`,
    "a user named like us": `http://127.0.0.1:${port}@evil.example`,
    "the other name of this machine": `http://localhost:${port}`,
    "ours in capitals": `HTTP://127.0.0.1:${port}`,
    "ours and a path": `http://127.0.0.1:${port}/`,
    "two origins": `http://127.0.0.1:${port} https://evil.example`,
    nothing: "",
  });

  test("opens no WebSocket and writes nothing but our own page's, with the cookie in the browser's hand", async () => {
    const { raw, server, cookie, root } = await serve();
    const entries = Object.entries(at(server.port));
    const opened: string[] = [];
    const written: string[] = [];
    for (const [name, origin] of entries) {
      const headers: Record<string, string> = { cookie, ...(origin === undefined ? {} : { origin }) };
      if ((await knock(server, "/api/events/subscribe", headers)) === "open") opened.push(name);
      const json = { ...headers, "content-type": "application/json" };
      const body = JSON.stringify({ type: "file", format: "text", content: name });
      if ((await raw("PUT", "/api/contents/written.txt", json, body)).status < 300) written.push(name);
    }
    expect([opened, written]).toEqual([["own"], ["own"]]);
    expect(readFileSync(join(root, "written.txt"), "utf8")).toBe("own");
  });

  test("but our own or none is refused though it knows the token", async () => {
    const { raw, server } = await serve();
    for (const [name, origin] of Object.entries(at(server.port))) {
      const headers = { authorization: `token ${server.token}`, ...(origin === undefined ? {} : { origin }) };
      const good = name === "own" || name === "none";
      expect([name, await knock(server, "/api/events/subscribe", headers)]).toEqual([name, good ? "open" : 403]);
      expect([name, (await raw("GET", "/api/status", headers)).status]).toEqual([name, good ? 200 : 403]);
    }
  });

  test("what a browser says of a request from elsewhere is believed, in every mode", async () => {
    const { raw, cookie } = await serve();
    const modes = ["navigate", "cors", "no-cors", "same-origin", "websocket", ""];
    const answers: Record<string, number[]> = {};
    for (const site of ["same-origin", "none", "same-site", "cross-site", ""]) {
      const given = modes.map((mode) => ({ cookie, "sec-fetch-site": site, "sec-fetch-mode": mode }));
      answers[site] = await Promise.all(
        given.map(async (headers) => (await raw("GET", "/api/status", headers)).status),
      );
    }
    const all = (status: number) => modes.map(() => status);
    expect(answers).toEqual({
      "same-origin": all(200),
      none: all(200),
      "same-site": all(403),
      "cross-site": all(403),
      "": all(403),
    });
  });

  test("an answer that is JSON is no script, no style and no picture of another site", async () => {
    const { ask } = await serve();
    for (const path of ["/api/contents", "/api/status", "/lab/api/settings", "/api/nothing"]) {
      const { headers } = await ask("GET", path);
      expect(headers["content-type"]).toBe("application/json");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });
});

describe("every path", () => {
  /** Ways to write a path of the API. */
  const spellings: Record<string, (path: string) => string> = {
    plain: (path) => path,
    "encoded slashes": (path) => path.replaceAll("/", "%2F"),
    "encoded dots": (path) => path.replaceAll(".", "%2e"),
    "all encoded": (path) => [...Buffer.from(path)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
    "encoded twice": (path) => encodeURIComponent(encodeURIComponent(path)).replaceAll(".", "%252e"),
    backslashes: (path) => path.replaceAll("/", "%5C"),
    "a folder before": (path) => `a/../${path}`,
    "an encoded folder before": (path) => `a%2f..%2f${path.replaceAll("/", "%2f")}`,
    "dots between": (path) => `./${path.replaceAll("/", "/./")}`,
    "slashes doubled": (path) => `//${path.replaceAll("/", "//")}`,
    "long dots": (path) => path.replaceAll("..", "..%c0%ae"),
    "a null byte after": (path) => `${path}%00.txt`,
  };

  async function desk() {
    const tested = await serve();
    const { root } = tested;
    const [beside, sibling] = [`${root}.txt`, `${root}X`];
    onTestFinished(() => {
      for (const path of [beside, sibling]) rmSync(path, { recursive: true, force: true });
    });
    mkdirSync(join(root, "a"));
    mkdirSync(sibling);
    writeFileSync(join(root, "in.txt"), "inside");
    writeFileSync(join(root, "a", "deep.txt"), "inside");
    for (const file of [beside, join(sibling, "file.txt"), join(root, ".hidden"), join(root, "a", ".env")])
      writeFileSync(file, "secret");
    symlinkSync(sibling, join(root, "out"));
    symlinkSync(beside, join(root, "out.txt"));
    const denied = [
      `../${basename(beside)}`,
      `../${basename(sibling)}/file.txt`,
      `${beside}`,
      `../${basename(root)}/../${basename(beside)}`,
      ".hidden",
      "a/.env",
      "out/file.txt",
      "out.txt",
      "../../../../../../../../etc/hostname",
    ];
    return { ...tested, beside, sibling, denied };
  }

  test("outside the folder, hidden, or behind a link that leads out is not read, whatever its spelling and whatever asks", async () => {
    const { ask, denied } = await desk();
    const readers: Record<string, (path: string) => ReturnType<typeof ask>> = {
      contents: (path) => ask("GET", `/api/contents/${path}`),
      "contents as text": (path) => ask("GET", `/api/contents/${path}?type=file&format=base64&hash=1`),
      checkpoints: (path) => ask("GET", `/api/contents/${path}/checkpoints`),
      "a checkpoint": (path) => ask("POST", `/api/contents/${path}/checkpoints`, {}),
      files: (path) => ask("GET", `/files/${path}`),
      "files to save": (path) => ask("GET", `/files/${path}?download=1`),
      app: (path) => ask("GET", `/static/app/${path}`),
      themes: (path) => ask("GET", `/static/themes/${path}`),
      settings: (path) => ask("GET", `/lab/api/settings/${path}`),
    };
    const leaked: string[] = [];
    for (const path of denied)
      for (const [spelling, spelled] of Object.entries(spellings))
        for (const [reader, read] of Object.entries(readers)) {
          const { status, text } = await read(spelled(path));
          if (status < 400 || status === 500 || /secret|c2VjcmV0/.test(text))
            leaked.push(`${reader} ${spelling} ${path}: ${status}`);
        }
    expect(leaked).toEqual([]);
  });

  test("outside the folder is not written, moved, copied, deleted, or made the home of a kernel", async () => {
    const { ask, denied, beside, sibling, root, server } = await desk();
    const file = { type: "file", format: "text", content: "overwritten" };
    const writers: Record<string, (path: string) => ReturnType<typeof ask>> = {
      save: (path) => ask("PUT", `/api/contents/${path}`, file),
      "make in": (path) => ask("POST", `/api/contents/${path}`, { type: "file" }),
      "copy from": (path) => ask("POST", "/api/contents", { copy_from: decodeURIComponent(path) }),
      "move from": (path) => ask("PATCH", `/api/contents/${path}`, { path: "moved.txt" }),
      "move to": (path) => ask("PATCH", "/api/contents/in.txt", { path: decodeURIComponent(path) }),
      delete: (path) => ask("DELETE", `/api/contents/${path}`),
      restore: (path) => ask("POST", `/api/contents/${path}/checkpoints/checkpoint`),
    };
    // These mean files inside, with odd names; or the address itself is made shorter on the way.
    const odd = new Set(["backslashes", "encoded twice", "long dots", "slashes doubled"]);
    const done: string[] = [];
    for (const path of denied)
      for (const [spelling, spelled] of Object.entries(spellings))
        for (const [writer, write] of Object.entries(writers)) {
          if (odd.has(spelling)) continue;
          // A link itself may be replaced, moved and deleted: that changes nothing behind it.
          if (path === "out.txt" && /save|move|delete/.test(writer)) continue;
          const { status } = await write(spelled(path));
          if (status < 400 || status === 500) done.push(`${writer} ${spelling} ${path}: ${status}`);
        }
    expect(done).toEqual([]);
    for (const kept of [beside, join(sibling, "file.txt"), join(root, ".hidden")])
      expect(readFileSync(kept, "utf8")).toBe("secret");
    expect(existsSync(join(root, "moved.txt"))).toBe(false);
    expect(readFileSync(join(root, "in.txt"), "utf8")).toBe("inside");
    // A client may name a notebook that is nowhere: its kernel then begins in the folder that is served.
    const fileOf = async (path: string) => (await place(root, path)).file;
    for (const path of denied) expect([root, join(root, "a")]).toContain(await folderFor(path, fileOf));
    expect(server.kernelCount).toBe(0);
  });

  test("inside it is reached by every spelling that means it", async () => {
    const { ask } = await desk();
    const meant = ["plain", "encoded slashes", "encoded dots", "all encoded", "slashes doubled"];
    for (const spelling of meant) {
      const answer = await ask("GET", `/api/contents/${spellings[spelling]!("a/deep.txt")}`);
      expect([spelling, answer.status, answer.json.content]).toEqual([spelling, 200, "inside"]);
    }
  });

  test("a folder that becomes a link while it is open leads nowhere", async () => {
    const { ask, root, sibling } = await desk();
    mkdirSync(join(root, "swap"));
    writeFileSync(join(root, "swap", "file.txt"), "inside");
    expect((await ask("GET", "/api/contents/swap/file.txt")).json.content).toBe("inside");
    renameSync(join(root, "swap"), join(root, "was"));
    symlinkSync(sibling, join(root, "swap"));
    for (const method of ["GET", "DELETE"]) expect((await ask(method, "/api/contents/swap/file.txt")).status).toBe(404);
    const file = { type: "file", format: "text", content: "x" };
    expect((await ask("PUT", "/api/contents/swap/file.txt", file)).status).toBe(404);
    expect(readFileSync(join(sibling, "file.txt"), "utf8")).toBe("secret");
  });
});

describe("secrets and opening", () => {
  test("the token is in no file that is served, in no answer and in no kernel", async () => {
    const said: string[] = [];
    const { log, error } = console;
    onTestFinished(() => void Object.assign(console, { log, error }));
    console.log = console.error = (...words: unknown[]) => said.push(words.join(" "));
    const { ask, server, root } = await serve({ app: emptyPage(), config: temporary() });
    writeFileSync(join(root, "in.txt"), "inside");
    for (const path of [...addresses, ...others].filter((path) => path !== "/api/shutdown"))
      said.push((await ask("GET", path)).text);
    expect(said.filter((text) => text.includes(server.token))).toEqual([]);
    expect(Object.values(process.env).filter((value) => value?.includes(server.token))).toEqual([]);
  });

  test("a notebook that is opened, read and trusted runs nothing", async () => {
    const { ask, raw, cookie, root } = await serve({ app: emptyPage() });
    const code = `require("node:fs").writeFileSync(${JSON.stringify(join(root, "ran.txt"))}, "")`;
    const cell = { cell_type: "code", source: code, metadata: { trusted: true, tags: ["parameters"] }, outputs: [] };
    const metadata = { kernelspec: { name: "thalweg", argv: ["touch", join(root, "ran.txt")] }, preload: "./evil.ts" };
    writeFileSync(join(root, "evil.ts"), code);
    writeFileSync(join(root, "a.ipynb"), JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells: [cell] }));
    await raw("GET", "/lab/tree/a.ipynb", { cookie });
    const { json } = await ask("GET", "/api/contents/a.ipynb");
    await ask("PUT", "/api/contents/a.ipynb", json);
    await ask("GET", "/api/sessions");
    await new Promise((resolve) => setTimeout(resolve, 2000)); // a kernel that was made ready has had time to do harm
    expect(existsSync(join(root, "ran.txt"))).toBe(false);
  });
});
