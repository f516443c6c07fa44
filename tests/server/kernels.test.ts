import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { framing, v1 } from "../../kernel/server/framing.ts";
import { channels, emptyPage, serve } from "./support.ts";

const kernel = async ({ ask }: Awaited<ReturnType<typeof serve>>) =>
  (await ask("POST", "/api/kernels", {})).json.id as string;

describe("kernels", () => {
  test.each([
    ["the subprotocol v1, all binary", v1],
    ["plain JSON", ""],
  ])("speak %s: results, streams, questions and comms with buffers", async (_, protocol) => {
    const server = await serve();
    const client = await channels(server, await kernel(server), { protocol });
    expect(client.socket.protocol).toBe(protocol);
    const asked = client.say("shell", "kernel_info_request", {});
    expect((await client.reply(asked)).language_info.name).toBe("typescript");

    const ran = client.execute("console.log('ü→😀'); 6 * 7");
    expect((await client.reply(ran)).status).toBe("ok");
    expect(client.text(ran)).toBe("ü→😀\n");
    const result = client.about(ran).find(({ message }) => message.header.msg_type === "execute_result")!;
    expect([result.channel, result.message.content.data]).toEqual(["iopub", { "text/plain": "42" }]);

    const question = client.execute("prompt('name?')");
    await client.until(() => client.seen.find(({ channel }) => channel === "stdin"));
    client.say("stdin", "input_reply", { value: "Ada", status: "ok" });
    await client.reply(question);
    expect(JSON.stringify(client.about(question))).toContain("Ada");

    const opened = client.execute("comm.open('t', {}).send({ a: 1 }, { buffers: [new Uint8Array([1, 2, 255])] })");
    await client.reply(opened);
    const sent = client.about(opened).find(({ message }) => message.header.msg_type === "comm_msg")!;
    expect(sent.message.buffers.map((buffer) => [...buffer])).toEqual([[1, 2, 255]]);
    client.socket.close();
  });

  test("are framed as Jupyter's own clients frame: offsets and bytes by hand", () => {
    const header = { msg_id: "1", session: "s", msg_type: "t", username: "", date: "", version: "5.4" };
    const message = {
      idents: [],
      header,
      parent_header: {},
      metadata: {},
      content: { a: 1 },
      buffers: [Buffer.from([7, 8])],
    };
    const text = JSON.stringify(header);
    // Seven offsets after their count, 8 bytes each: "iopub", header, {}, {}, {"a":1}, two bytes, and the end.
    const begins = [64, 69, 69 + text.length, 71 + text.length, 73 + text.length, 80 + text.length, 82 + text.length];
    const head = Buffer.alloc(64);
    for (const [i, value] of [7, ...begins].entries()) head.writeUInt32LE(value, 8 * i);
    const expected = Buffer.concat([head, Buffer.from(`iopub${text}{}{}{"a":1}`), Buffer.from([7, 8])]);
    expect(Buffer.from(framing(v1).encode("iopub", message) as Uint8Array).equals(expected)).toBe(true);
    expect(
      framing(v1)
        .decode(expected)
        .message.buffers.map((buffer) => [...buffer]),
    ).toEqual([[7, 8]]);

    const plain = JSON.parse(String(framing("").encode("iopub", { ...message, buffers: [] })));
    expect(plain).toEqual({
      channel: "iopub",
      header,
      parent_header: {},
      metadata: {},
      content: { a: 1 },
      buffers: [],
    });
    const mixed = Buffer.from(framing("").encode("iopub", message) as Uint8Array);
    expect([mixed.readUInt32BE(0), mixed.readUInt32BE(4)]).toEqual([2, 12]);
    expect([...mixed.subarray(mixed.readUInt32BE(8))]).toEqual([7, 8]);
  });

  test("interrupt, restart and end over REST; each has its own state and folder", async () => {
    const server = await serve();
    mkdirSync(join(server.root, "deep"));
    const [one, two] = [
      (await server.ask("POST", "/api/kernels", { name: "thalweg", path: "deep" })).json.id,
      await kernel(server),
    ];
    const [first, second] = [await channels(server, one), await channels(server, two)];
    await first.reply(first.execute("let x = 1"));
    const other = second.execute("typeof x + ' ' + process.cwd()");
    await second.reply(other);
    expect(JSON.stringify(second.about(other))).toContain(`undefined ${server.root}`);

    const loop = first.execute("for (;;);");
    await first.until(() => first.about(loop).find(({ message }) => message.header.msg_type === "execute_input"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await server.ask("GET", `/api/kernels/${one}`)).json.execution_state).toBe("busy");
    expect((await server.ask("POST", `/api/kernels/${one}/interrupt`)).status).toBe(204);
    expect((await first.reply(loop)).status).toBe("error");
    const still = first.execute("x");
    expect((await first.reply(still)).status).toBe("ok");

    expect((await server.ask("POST", `/api/kernels/${one}/restart`)).json.id).toBe(one);
    const after = first.execute("typeof x + ' ' + process.cwd()");
    await first.reply(after);
    expect(JSON.stringify(first.about(after))).toContain(`undefined ${join(server.root, "deep")}`);

    expect((await server.ask("DELETE", `/api/kernels/${one}`)).status).toBe(204);
    expect((await server.ask("GET", "/api/kernels")).json.map(({ id }: { id: string }) => id)).toEqual([two]);
    expect((await server.ask("POST", `/api/kernels/${one}/restart`)).status).toBe(404);
    second.socket.close();
  });

  test("a kernel that is not here is refused in a sentence", async () => {
    const { ask } = await serve();
    const { status, json } = await ask("POST", "/api/kernels", { name: "python3" });
    expect([status, json.message]).toEqual([404, expect.stringContaining("There is no kernel python3 here")]);
    const session = await ask("POST", "/api/sessions", {
      path: "a.ipynb",
      type: "notebook",
      kernel: { name: "python3" },
    });
    expect(session.status).toBe(404);
    expect((await ask("GET", "/api/sessions")).json).toEqual([]);
  });

  test("what was said while a page was away, or lost on the way, comes once when it is back", {
    timeout: 30_000,
  }, async () => {
    const server = await serve();
    const id = await kernel(server);
    const before = await channels(server, id, { received: 0 });
    const ran = before.execute(
      "for (let i = 0; i < 20; i++) { console.log('line ' + i); await new Promise((r) => setTimeout(r, 50)) }",
    );
    await before.until(() => (before.text(ran).includes("line 3") ? true : undefined));
    // The page got all but the last two of what it was sent, and vanished without a word.
    const received = before.seen.length - 2;
    const got = before.seen.slice(0, received);
    before.socket.terminate();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const after = await channels(server, id, { received });
    await after.reply(ran);
    const all = [...got, ...after.seen].filter(
      ({ message }) => (message.parent_header as { msg_id?: string }).msg_id === ran,
    );
    const text = all
      .filter(({ message }) => message.header.msg_type === "stream")
      .map(({ message }) => message.content.text);
    expect(text.join("")).toBe(Array.from({ length: 20 }, (_, i) => `line ${i}\n`).join(""));
    expect(all.filter(({ message }) => message.header.msg_type === "execute_reply")).toHaveLength(1);
    after.socket.close();
  });

  test("a client that does not count gets what was said while it was away", { timeout: 30_000 }, async () => {
    const server = await serve();
    const id = await kernel(server);
    const before = await channels(server, id);
    const ran = before.execute("await new Promise((r) => setTimeout(r, 300)); console.log('late')");
    await before.until(() => before.about(ran).find(({ message }) => message.header.msg_type === "execute_input"));
    before.socket.terminate();
    await new Promise((resolve) => setTimeout(resolve, 600));
    const after = await channels(server, id);
    await after.reply(ran);
    expect(after.text(ran)).toBe("late\n");
    expect(after.about(ran).some(({ message }) => message.header.msg_type === "execute_input")).toBe(false);
    after.socket.close();
  });

  test("two pages see the same outputs, and each only its own replies", async () => {
    const server = await serve();
    const id = await kernel(server);
    const [one, two] = [await channels(server, id, { session: "one" }), await channels(server, id, { session: "two" })];
    const ran = one.execute("console.log('both')");
    await one.reply(ran);
    await two.until(() => (two.text(ran) === "both\n" ? true : undefined));
    expect(two.about(ran).filter(({ channel }) => channel === "shell")).toEqual([]);
    expect((await server.ask("GET", `/api/kernels/${id}`)).json.connections).toBe(2);
    for (const { socket } of [one, two]) socket.close();
  });

  test("a frame that is no message closes that socket and nothing else", async () => {
    const server = await serve();
    const id = await kernel(server);
    const [bad, good] = [
      await channels(server, id, { session: "bad" }),
      await channels(server, id, { session: "good" }),
    ];
    const closed = new Promise<number>((resolve) => bad.socket.once("close", resolve));
    bad.socket.send(Buffer.from([1, 2, 3]));
    expect(await closed).toBe(1003);
    expect((await good.reply(good.execute("1"))).status).toBe("ok");
    good.socket.close();
  });
});

describe("a kernel that is started ahead", () => {
  test("is the one that its folder's notebook gets, and is nobody's until then", async () => {
    const tested = await serve({ app: emptyPage() });
    const { server, root, ask, raw, cookie } = tested;
    mkdirSync(join(root, "deep"));
    writeFileSync(join(root, "a.ipynb"), "");
    const page = async () => {
      const headers = { host: `127.0.0.1:${server.port}`, cookie };
      await raw("GET", "/lab/tree/a.ipynb", headers);
      await raw("GET", "/api/kernelspecs", headers);
    };
    await page();
    expect(server.kernelCount).toBe(0);
    const begun = async (path: string) => {
      const body = { path, name: path, type: "notebook", kernel: { name: "thalweg" } };
      await new Promise((resolve) => setTimeout(resolve, 5));
      const asked = Date.now();
      const { kernel } = (await ask("POST", "/api/sessions", body)).json;
      return { id: kernel.id as string, before: Date.parse(kernel.last_activity) < asked };
    };
    // One for another folder is not it.
    expect((await begun("deep/b.ipynb")).before).toBe(false);
    const first = await begun("a.ipynb");
    expect(first.before).toBe(true);
    expect(server.kernelCount).toBe(2);
    const { socket, execute, reply, about } = await channels(tested, first.id);
    const ran = execute("process.cwd()");
    await reply(ran);
    expect(JSON.stringify(about(ran))).toContain(root);
    socket.close();
    // The page of a notebook that has its kernel starts none.
    await page();
    expect((await begun("a.ipynb")).id).toBe(first.id);
    expect((await begun("c.ipynb")).before).toBe(false);
  });
});

describe("sessions", () => {
  test("two tabs on one notebook share its kernel; renaming and another kernel are told; the last one out ends it", async () => {
    const { ask } = await serve();
    const body = { path: "a.ipynb", name: "a.ipynb", type: "notebook", kernel: { name: "thalweg" } };
    const [one, two] = [
      (await ask("POST", "/api/sessions", body)).json,
      (await ask("POST", "/api/sessions", body)).json,
    ];
    expect(two).toEqual({
      ...one,
      kernel: { ...one.kernel, execution_state: two.kernel.execution_state, last_activity: two.kernel.last_activity },
    });
    expect(one.notebook).toEqual({ path: "a.ipynb", name: "a.ipynb" });
    expect((await ask("PATCH", `/api/sessions/${one.id}`, { path: "b.ipynb", name: "b.ipynb" })).json.path).toBe(
      "b.ipynb",
    );
    const changed = (await ask("PATCH", `/api/sessions/${one.id}`, { kernel: { name: "thalweg" } })).json;
    expect(changed.kernel.id).not.toBe(one.kernel.id);
    expect((await ask("GET", "/api/kernels")).json).toHaveLength(1);
    expect((await ask("DELETE", `/api/sessions/${one.id}`)).status).toBe(204);
    expect((await ask("GET", "/api/kernels")).json).toEqual([]);
    expect((await ask("GET", `/api/sessions/${one.id}`)).status).toBe(404);
  });
});
