import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { figures, plotlyMime, plotlyScript } from "../../kernel/display/plotly.ts";
import { type Bundle, messageFactory } from "../../kernel/messages.ts";
import { testKernel } from "./support/kernel.ts";

describe("what a value looks like", () => {
  let k: ReturnType<typeof testKernel>;
  beforeAll(() => {
    k = testKernel();
  });
  afterAll(() => k.close());
  const shown = async (code: string): Promise<Bundle> => {
    const { messages, error } = await k.execute(code);
    expect(error).toBeUndefined();
    return messages.findLast((m) => /display_data|execute_result/.test(m.header.msg_type))!.content.data as Bundle;
  };

  it("is what its Jupyter.display says, also a promise of it; a text form is added", async () => {
    const own = (body: string) => `({ n: 1, [Symbol.for("Jupyter.display")]() { ${body} } })`;
    expect(await shown(own("return { 'text/html': '<i>x</i>', 'text/plain': 'x' }"))).toEqual({
      "text/html": "<i>x</i>",
      "text/plain": "x",
    });
    expect((await shown(own("return Promise.resolve({ 'text/html': 'later' })")))["text/plain"]).toMatch(/n: 1/);
    expect((await k.execute(own("return 5"))).error?.evalue).toMatch(/must return a MIME bundle/);
  });

  it("is a table for an array of plain objects, with everything from the data escaped", async () => {
    const bundle = await shown(
      "[{ name: '<img src=x onerror=alert(1)>', 'a<b': 1.5 }, { name: 'plain', other: true }]",
    );
    const html = String(bundle["text/html"]);
    expect(html).not.toMatch(/<img|a<b/);
    expect(html.match(/<th /g)?.length).toBe(3);
    expect(html).toContain("&#60;img");
    expect(String(bundle["text/plain"])).toContain("name: 'plain'");
    const long = await shown("Array.from({ length: 1000 }, (_, i) => ({ i }))");
    expect(String(long["text/html"])).toContain("940 more rows");
    expect(String(long["text/html"]).match(/<tr>/g)?.length).toBeLessThan(70);
    expect(Object.keys(await shown("[1, { a: 1 }]"))).toEqual(["text/plain"]);
  });

  it("is shape, type and values for a tensor, and a picture when it looks like one", async () => {
    const tensor = (shape: string, fill: string) =>
      `({ shape: ${shape}, dtype: 'float32', dataSync() { return Float32Array.from({ length: this.shape.reduce((a: number, b: number) => a * b, 1) }, (_, i) => ${fill}) } })`;
    expect(await shown(tensor("[2, 3]", "i / 2"))).toEqual({
      "text/plain": "Tensor float32 [2, 3]\n[[0, 0.5, 1],\n [1.5, 2, 2.5]]",
    });
    const image = await shown(tensor("[16, 16, 3]", "(i % 256) / 255"));
    const png = Buffer.from(String(image["image/png"]), "base64");
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([128, 128]);
    expect(Object.keys(await shown(tensor("[16, 16]", "i - 5")))).toEqual(["text/plain"]);
    expect((await shown(tensor("[]", "7")))["text/plain"]).toBe("Tensor float32 []\n7");
  });

  it("is an image for the bytes of one", async () => {
    expect(Object.keys(await shown("Buffer.from('iVBORw0KGgo=', 'base64')"))).toContain("image/png");
  });

  it("goes through display.*, one MIME type each, with a text form", async () => {
    const forms: Record<string, string> = {
      "display.html('<b>x</b>')": "text/html",
      "display.markdown('*x*')": "text/markdown",
      "display.latex('$x$')": "text/latex",
      "display.svg('<svg/>')": "image/svg+xml",
      "display.png('aGk=')": "image/png",
      "display.jpeg(new Uint8Array([1, 2]))": "image/jpeg",
      "display.json({ a: 1 })": "application/json",
      "display.javascript('1')": "application/javascript",
      "display.raw('text/x-own', 'own')": "text/x-own",
      "await display([{ a: 1 }])": "text/html",
    };
    for (const [code, mime] of Object.entries(forms))
      expect(Object.keys(await shown(`${code}; undefined`)), code).toContain(mime);
  });

  it("updates in place, and clears", async () => {
    const { messages } = await k.execute(
      "const d = display.handle('id-1'); await d.update(1); await d.update(2); display.clear(true)",
    );
    const types = messages
      .filter((m) => !/status|input/.test(m.header.msg_type))
      .map((m) => [m.header.msg_type, (m.content.transient as { display_id?: string } | undefined)?.display_id]);
    expect(types).toEqual([
      ["display_data", "id-1"],
      ["update_display_data", "id-1"],
      ["clear_output", undefined],
    ]);
  });

  it("runs notebooks written for tslab", async () => {
    const { displays, messages } = await k.execute(
      "import * as tslab from 'tslab'; tslab.display.html('<b>1</b>'); const box = tslab.newDisplay(); box.text('a'); box.text('b');",
    );
    expect(displays[0]).toMatchObject({ "text/html": "<b>1</b>" });
    expect(
      messages
        .filter((m) => m.header.msg_type === "update_display_data")
        .map((m) => (m.content.data as Bundle)["text/plain"]),
    ).toEqual(["b"]);
    expect((await k.execute("import { display as old } from 'tslab'; old.markdown('x')")).displays[0]).toMatchObject({
      "text/markdown": "x",
    });
  });

  it("shows live, from a loop that never yields, at most ten times a second, and always the last state", async () => {
    const code = `const show = (globalThis as any)[Symbol.for("Jupyter.display")];
      const end = Date.now() + 650; let step = 0;
      while (Date.now() < end) { show({ "text/plain": String(step) }, { displayId: "live", update: step > 0 }); step++ }
      step - 1`;
    const cell = k.start(code);
    await cell.saw("update_display_data");
    const seenWhileRunning = cell.iopub().every((m) => m.header.msg_type !== "execute_result");
    const { result, messages } = await cell.done();
    const updates = messages
      .filter((m) => m.header.msg_type === "update_display_data")
      .map((m) => (m.content.data as Bundle)["text/plain"]);
    expect(seenWhileRunning).toBe(true);
    expect(updates.length).toBeGreaterThan(3);
    expect(updates.length).toBeLessThan(9);
    expect(updates.at(-1)).toBe(result);
  });
});

describe("plotly figures", () => {
  const figure = (extra: Bundle = {}): Bundle => ({
    [plotlyMime]: { data: [{ x: [1, 2], y: [3, 4], name: "</script><script>alert(1)</script>" }], layout: {} },
    "image/svg+xml": "<svg><text>static</text></svg>",
    "text/plain": "figure",
    ...extra,
  });
  const messages = messageFactory();
  const run = (cellId?: string) =>
    messages.childOf(undefined, "execute_request", {}, { metadata: cellId ? { cellId } : {} });

  it("keep their MIME type, SVG and text, and get HTML with the SVG and the figure in it", () => {
    const { bundle } = figures().enrich(figure(), run());
    expect(Object.keys(bundle).sort()).toEqual([plotlyMime, "image/svg+xml", "text/html", "text/plain"].sort());
    const html = String(bundle["text/html"]);
    expect(html).toContain("<svg><text>static</text></svg>");
    // Nothing in the data can end the script it stands in.
    expect(html.match(/<\/script>/g)?.length).toBe(1);
    expect(html).not.toMatch(/https?:/);
  });

  it("have a text form in their HTML when there is no picture, escaped", () => {
    const { bundle } = figures().enrich({ [plotlyMime]: { data: [] }, "text/plain": "a <b>" }, run());
    expect(String(bundle["text/html"])).toContain("<pre>a &#60;b&#62;</pre>");
    expect(figures().enrich({ [plotlyMime]: { data: [] } }, run()).bundle["text/plain"]).toBe("[figure]");
  });

  it("bring plotly.js once, within the rate that frontends take, hidden from module loaders; again only when its cell runs again", () => {
    const session = figures();
    const first = run("a");
    const { script } = session.enrich(figure(), first);
    expect(script!.metadata).toEqual({ thalweg: "plotly.js" });
    expect(Buffer.byteLength(JSON.stringify(script))).toBeLessThan(1_900_000);
    expect(session.enrich(figure(), first).script).toBeUndefined();
    expect(session.enrich(figure(), run("b")).script).toBeUndefined();
    expect(session.enrich(figure(), run("a")).script).toBeDefined();
    expect(session.enrich({ "text/plain": "x" }, run("a"))).toEqual({ bundle: { "text/plain": "x" } });
    expect(plotlyScript()).not.toMatch(/<\/script|<!--/i);
    const page = { define: () => expect.unreachable("the AMD loader was called"), Plotly: undefined as unknown };
    // The bundle meets a page with an AMD loader and a CommonJS `module`: it must find neither. (Its factory needs a browser, so only the wrapper runs.)
    const wrapper = plotlyScript().replace(
      /\{\n[\s\S]*\n\}/,
      "{ this.seen = [typeof module, typeof exports, typeof define] }",
    );
    const result = new Function("window", "module", "define", `${wrapper}; return window.seen`)(
      page,
      { exports: {} },
      page.define,
    ) as unknown;
    expect(result).toEqual(["undefined", "undefined", "undefined"]);
  });

  it("reach the frontend through a cell: the script first, then the figure; updates carry the HTML too", async () => {
    const k = testKernel();
    const bundle = JSON.stringify(figure());
    const { messages: got } =
      await k.execute(`const show = (globalThis as any)[Symbol.for("Jupyter.display")]; const f = ${bundle.replaceAll("</script>", "<\\/script>")};
      show(f, { displayId: "p" }); await new Promise((r) => setTimeout(r, 120)); show(f, { displayId: "p", update: true });`);
    const shows = got.filter((m) => /display_data/.test(m.header.msg_type));
    expect(shows.map((m) => [m.header.msg_type, m.content.metadata])).toEqual([
      ["display_data", { thalweg: "plotly.js" }],
      ["display_data", {}],
      ["update_display_data", {}],
    ]);
    expect((shows[2]!.content.data as Bundle)["text/html"]).toContain("<svg>");
    await k.close();
  });
});
