import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import type { Content, Message } from "../../kernel/messages.ts";
import { messageFactory } from "../../kernel/messages.ts";
import { executeNotebook } from "../../kernel/notebook/execute.ts";
import { notebookJson, notebookOf } from "../../kernel/notebook/nbformat.ts";
import { notebookPage } from "../../kernel/notebook/page.ts";
import { joinBuffers, splitBuffers } from "../../kernel/widgets/buffers.ts";
import { keepable, short, still, viewMime } from "../../kernel/widgets/stills.ts";
import { sleep, testKernel } from "./support/kernel.ts";

describe("binary values of a state", () => {
  test("travel beside it, wherever they were, and are put back there", () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const state = { a: 1, b: bytes, deep: { list: [0, new Float32Array([1]), "x"], plain: { c: 2 } } };
    const { state: sent, paths, buffers } = splitBuffers(state);
    expect(sent).toEqual({ a: 1, deep: { list: [0, null, "x"], plain: { c: 2 } } });
    expect(paths).toEqual([["b"], ["deep", "list", 1]]);
    expect([...buffers[1]!]).toEqual([0, 0, 128, 63]);
    expect(state.b, "what was given is as it was").toBe(bytes);
    const back = joinBuffers(JSON.parse(JSON.stringify(sent)), paths, buffers) as typeof state;
    expect([back.b, back.deep.list[1]]).toEqual([bytes, buffers[1]]);
  });

  test("go nowhere by a path that leads out of the state", () => {
    joinBuffers({ a: {} }, [["a", "__proto__"], ["__proto__", "x"], ["no", "where"], []], [1, 2, 3, 4]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

describe("what a control looks like without a kernel", () => {
  test("escapes everything that comes from its state", () => {
    const evil = "<img src=x onerror=alert(1)>";
    const states = ["slider", "range", "number", "text", "checkbox", "button", "select", "table", "tabs"].map(
      (kind) => ({
        ...{ kind, label: evil, value: [evil, evil], min: evil, max: evil, labels: [evil], columns: [evil] },
        ...{ rows: [[evil]], titles: [evil], panels: [{ text: evil, html: evil }] },
      }),
    );
    for (const state of states) expect(still(state)).not.toContain("<img");
    expect(still({ kind: "constructor" })).toBeUndefined();
    expect(still({ kind: "nothing" })).toBeUndefined();
  });

  test("shows a place on a logarithmic scale where it is: 1e-2 is two thirds of the way from 1e-4 to 1e-1", () => {
    expect(still({ kind: "slider", min: 1e-4, max: 1e-1, log: true, value: 1e-2 })).toContain("width:66.7%");
    expect(still({ kind: "slider", min: 0, max: 10, value: 2.5 })).toContain("width:25.0%");
    expect([0.00001234, 0.5, 1234567, 12.3456].map(short)).toEqual(["1.23e-5", "0.5", "1.23e6", "12.35"]);
  });

  test("keeps no code and no bytes", () => {
    expect(keepable({ kind: "slider", _esm: "x", _css: "y", value: 1, b: new Uint8Array(1) })).toEqual({
      kind: "slider",
      value: 1,
    });
    expect(keepable({ _esm: "x", value: 1 })).toBeUndefined();
  });
});

test("a notebook that ran keeps the last state, and its page shows that, without code", async () => {
  const cell = (source: string) => ({
    cell_type: "code",
    id: source.slice(0, 1),
    metadata: {},
    source,
    outputs: [],
    execution_count: null,
  });
  const file = {
    nbformat: 4,
    metadata: {},
    cells: [cell("const s = slider(0, 10, { label: '<rate>' }); s"), cell("t; s.value = 7; var t")],
  };
  const notebook = notebookOf(file);
  expect(await executeNotebook(notebook, { cwd: tmpdir(), typeErrors: "off" })).toBe(true);
  const kept = Object.values((notebook.metadata.thalweg as { widgets: Record<string, unknown> }).widgets);
  expect(kept).toEqual([{ kind: "slider", label: "<rate>", min: 0, max: 10, log: false, value: 7 }]);
  const again = notebookOf(JSON.parse(notebookJson(notebook)) as Record<string, unknown>);
  const page = notebookPage(again, { title: "x", own: false });
  expect(page).toContain("&#60;rate&#62;");
  expect(page).toMatch(/width:70\.0%.*<\/span> 7</);
  expect(page).not.toMatch(/export default|<script/);
});

describe("widgets", () => {
  let k: ReturnType<typeof testKernel>;
  const front = messageFactory();
  beforeAll(() => {
    k = testKernel();
  });
  afterAll(() => k.close());
  const opened = (messages: Message[]) => messages.find((m) => m.header.msg_type === "comm_open")!;
  /** What a page says to the model. */
  function say(id: string, data: Content, buffers: Uint8Array[] = []): Message {
    const message = front.childOf(undefined, "comm_msg", { comm_id: id, data }, { buffers });
    k.kernel.receive("shell", message);
    return message;
  }
  const heard = (id: string, method: string) =>
    k.until(
      () =>
        k.sent.findLast(
          ({ message: { header, content } }) =>
            header.msg_type === "comm_msg" &&
            content.comm_id === id &&
            (content.data as { method?: string }).method === method,
        )?.message,
      method,
    );

  it("open a comm as ipywidgets does, and show themselves by the id of their model, as HTML and as text", async () => {
    const { messages, error } = await k.execute("const lr = slider(1e-4, 1e-1, { log: true, label: 'rate' }); lr");
    expect(error).toBeUndefined();
    const open = opened(messages);
    expect(open.content.target_name).toBe("jupyter.widget");
    expect(open.metadata).toEqual({ version: "2.1.0" });
    const { state } = open.content.data as { state: Record<string, unknown> };
    expect(state).toMatchObject({ _model_module: "anywidget", _model_name: "AnyModel", _view_name: "AnyView" });
    expect(state).toMatchObject({ min: 1e-4, max: 1e-1, log: true, value: 0.003162 });
    expect(state._esm).toMatch(/export default/);
    const result = messages.find((m) => m.header.msg_type === "execute_result")!.content.data as Content;
    expect(result[viewMime]).toEqual({ version_major: 2, version_minor: 0, model_id: open.content.comm_id });
    expect(result["text/html"]).toContain("rate");
    expect(result["text/plain"]).toBe("slider 0.003162");
  });

  it("move on both sides: the page's value is the cell's, the cell's is the page's, and other pages hear of both", async () => {
    const { messages } = await k.execute("const n = slider(0, 10); n.onChange((v) => console.log('now', v)); n");
    const id = String(opened(messages).content.comm_id);
    say(id, { method: "update", state: { value: 7, _esm: "evil" }, buffer_paths: [] });
    expect(((await heard(id, "echo_update")).content.data as Content).state).toEqual({ value: 7 });
    expect((await k.execute("n.value")).result).toBe("7");
    await k.execute("n.value = 3");
    expect(((await heard(id, "update")).content.data as Content).state).toEqual({ value: 3 });
    expect((await k.execute("n.value = 11")).error?.evalue).toBe("slider: a number from 0 to 10 is required, got 11");
    say(id, { method: "request_state" });
    const isWhole = ({ message: { content } }: { message: Message }) =>
      content.comm_id === id && ((content.data as Content)?.state as Content)?._esm !== undefined;
    const sent = await k.until(() => k.sent.filter(isWhole)[1]?.message, "the whole state");
    const whole = (sent.content.data as Content).state as Content;
    expect(whole.value).toBe(3);
    expect(whole._esm, "a page does not change the code that pages run").not.toBe("evil");
  });

  it("reach a cell that waits for them while it runs, and an interrupt ends it", async () => {
    const { messages } = await k.execute("const waited = slider(0, 100); const seen: number[] = []");
    const id = String(opened(messages).content.comm_id);
    const cell = k.start("for await (const v of waited) { seen.push(v); console.log(v); if (v === 9) break }; 'done'", {
      allow_stdin: true,
    });
    await cell.saw("execute_input");
    await sleep(30);
    say(id, { method: "update", state: { value: 5 } });
    await cell.saw("stream", (content) => String(content.text).includes("5"));
    say(id, { method: "update", state: { value: 9 } });
    expect((await cell.done()).result).toBe("'done'");
    const again = k.start("for await (const v of waited) seen.push(v)", { allow_stdin: true });
    await again.saw("execute_input");
    await sleep(30);
    await k.interrupt();
    expect((await again.done()).error?.ename).toBe("Interrupted");
    expect((await k.execute("seen")).result).toBe("[ 5, 9 ]");
  });

  it("carry bytes and messages both ways", async () => {
    const code = `const any = widget({ state: { image: new Uint8Array([1, 2]) }, render: ({ el }) => { el.textContent = "hi" } });
      any.on("message", (content, buffers) => any.send({ got: content, size: buffers[0].length }, [new Uint8Array([9])]));
      any.on("change:image", (bytes) => console.log("bytes", bytes.length)); any`;
    const { messages } = await k.execute(code);
    const open = opened(messages);
    expect((open.content.data as Content).buffer_paths).toEqual([["image"]]);
    expect([...open.buffers[0]!]).toEqual([1, 2]);
    expect(((open.content.data as Content).state as Content)._esm).toMatch(/export default \{ render: /);
    const id = String(open.content.comm_id);
    say(id, { method: "custom", content: "hello" }, [new Uint8Array(5)]);
    const answer = await heard(id, "custom");
    expect((answer.content.data as Content).content).toEqual({ got: "hello", size: 5 });
    expect([...answer.buffers[0]!]).toEqual([9]);
    say(id, { method: "update", state: {}, buffer_paths: [["image"]] }, [new Uint8Array(3)]);
    expect((await k.execute("any.get('image').length")).result).toBe("3");
  });

  it("tell all their states to a page that comes late", async () => {
    const open = front.childOf(undefined, "comm_open", {
      comm_id: "ctl",
      target_name: "jupyter.widget.control",
      data: {},
    });
    k.kernel.receive("shell", open);
    say("ctl", { method: "request_states" });
    const { states } = (await heard("ctl", "update_states")).content.data as { states: Record<string, Content> };
    const all = Object.values(states);
    expect(all.length).toBeGreaterThan(2);
    expect(all[0]).toMatchObject({ model_name: "AnyModel", model_module: "anywidget" });
    expect(all.map(({ state }) => (state as Content).kind)).toContain("slider");
  });

  it("give values of any kind, and say which are possible", async () => {
    expect((await k.execute("const s = select({ sgd: 1, adam: { lr: 2 } }); s.value = s.value; s.value")).result).toBe(
      "1",
    );
    expect((await k.execute("select(['a', 'b'], { value: 'c' as string })")).error?.evalue).toMatch(
      /one of a, b is required, got 'c'/,
    );
    expect((await k.execute("const m = select([1, 2, 3], { multiple: true, value: [3] }); m.value")).result).toBe(
      "[ 3 ]",
    );
    expect((await k.execute("const r = range(0, 1); r.value = [0.2, 0.4]; r.value")).result).toBe("[ 0.2, 0.4 ]");
    expect((await k.execute("r.value = [0.4, 0.2]")).error?.evalue).toMatch(/smaller number first/);
    expect((await k.execute("slider(0, 1, { log: true })")).error?.evalue).toMatch(/above 0, got 0/);
    expect(
      (
        await k.execute(
          "const rows = [{ a: 1 }, { a: 2, b: 'x' }]; const t = table(rows); t.value = [rows[1]]; t.value[0] === rows[1]",
        )
      ).result,
    ).toBe("true");
    expect(
      (await k.execute("checkbox('on').value || text('x').value + number(3).value + button('go').value")).result,
    ).toBe("'x30'");
    const shown = await k.execute(
      "const inner = slider(0, 1); const all = await tabs({ one: inner, two: [{ a: 1 }], three: 'text' }); all.value = 'two'; all",
    );
    expect(shown.error).toBeUndefined();
    const { state } = shown.messages.filter((m) => m.header.msg_type === "comm_open")[1]!.content.data as {
      state: Content;
    };
    expect(state.panels).toMatchObject([
      { model: expect.stringMatching(/^anywidget:/) },
      { html: expect.stringContaining("<table") },
      { text: "'text'" },
    ]);
    expect(shown.result).toBe("tabs 1");
  });

  it("are followed by what is drawn from them, in its place", async () => {
    const { messages } = await k.execute(
      "const w = slider(0, 100, { value: 1 }); await live(() => 'w is ' + w.value, w)",
    );
    const id = String(opened(messages).content.comm_id);
    const place = messages.find((m) => m.header.msg_type === "display_data")!;
    expect((place.content.data as Content)["text/plain"]).toBe("'w is 1'");
    say(id, { method: "update", state: { value: 42 } });
    const update = await k.until(
      () =>
        k.sent.find(
          ({ message }) =>
            message.header.msg_type === "update_display_data" &&
            (message.content.data as Content)["text/plain"] === "'w is 42'",
        )?.message,
      "the drawing of 42",
    );
    expect(update.content.transient).toEqual(place.content.transient);
  });

  it("end iterations over them when they are closed, and are gone from the pages", async () => {
    const done = await k.execute(
      "const gone = number(1); setTimeout(() => gone.close(), 20); let turns = 0; for await (const _ of gone) turns++; turns",
      { allow_stdin: true },
    );
    expect(done.result).toBe("0");
    expect(done.messages.some((m) => m.header.msg_type === "comm_close")).toBe(true);
    expect((await k.execute("for await (const _ of number(1)); 'nobody is there'")).result).toBe("'nobody is there'");
    expect((await k.execute("gone.value = 2")).error?.evalue).toMatch(/it was closed/);
  });
});
