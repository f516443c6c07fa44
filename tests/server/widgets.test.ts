import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { closeBrowser, desk, eventually, missing, notebook, type Tab } from "./browser.ts";

const controls = `const lr = slider(1e-4, 1e-1, { log: true, label: "rate" })
const rows = [{ name: "naive", accuracy: 0.61 }, { name: "replay", accuracy: 0.87 }, { name: "ewc", accuracy: 0.7 }]
const all = await tabs({
  numbers: lr,
  rows: table(rows),
  drawing: [{ a: 1, b: "x" }],
})
all`;
const others = `for (const one of [range(0, 10, { value: [2, 7], label: "steps" }), select({ small: 1, large: 2 }, { label: "model" }), checkbox("augment"), number(3, { label: "seeds", min: 1 }), text("digits", { label: "data" }), button("Train", () => console.log("pressed"))]) display(one);
select(["a", "b", "c"], { multiple: true, label: "several" })`;
const own = `const counter = widget({
  state: { count: 0, bytes: new Uint8Array([3, 4]) },
  css: ".mine { font-weight: bold }",
  render: ({ model, el }) => {
    const button = document.createElement("button");
    button.className = "mine";
    let custom = "";
    const draw = () => { button.textContent = "count " + model.get("count") + " bytes " + model.get("bytes").getUint8(1) + custom };
    button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); model.send({ ask: 1 }, undefined, [new Uint8Array([5])]) };
    model.on("change:count", draw);
    model.on("msg:custom", (content, buffers) => { custom = " heard " + content.answer + " " + buffers[0].getUint8(0); draw() });
    draw(); el.append(button);
  },
});
counter.on("message", (content, buffers) => counter.send({ answer: content.ask + 1 }, [new Uint8Array([buffers[0][0] + 1])]));
counter`;

/** The little of the DOM that is asked here. */
interface Styled {
  ownerDocument: { defaultView: { getComputedStyle(of: unknown): { fontWeight: string } } };
}

/** What the frame of an output shows. */
const inside = (tab: Tab, cell: number, nth = 0) => tab.cell(cell).frameLocator(".thalweg-widget iframe").nth(nth);

describe.skipIf(missing !== "")(`widgets in the page${missing ? ` (skipped: ${missing})` : ""}`, () => {
  afterAll(closeBrowser);

  it("are moved by hand, are followed by drawings and by cells that wait, and are what cells say", async () => {
    const { open } = await desk(
      {
        "w.ipynb": notebook(
          "const lr = slider(0, 100, { label: 'rate' }); lr",
          "await live(() => 'twice is ' + 2 * lr.value, lr)",
          "for await (const v of lr) { console.log('got', v); if (v > 60) break }",
          "lr.value",
          "lr.value = 10",
        ),
      },
      false,
    );
    const tab = await open("w.ipynb");
    await tab.run(0);
    const slider = inside(tab, 0).locator("input");
    await slider.waitFor();
    await tab.run(1);
    expect(await tab.cell(1).locator(".jp-OutputArea").textContent()).toContain("twice is 100");
    await slider.focus();
    await slider.press("ArrowRight");
    await eventually(() => tab.cell(1).locator(".jp-OutputArea").textContent()).toContain("twice is 102");
    await tab.start(2);
    await eventually(() => tab.cell(2).locator(".jp-InputPrompt").textContent()).toContain("[*]");
    await slider.fill("700");
    await tab.settled(2);
    expect(await tab.cell(2).locator(".jp-OutputArea").textContent()).toContain("got 70");
    await tab.run(3);
    expect(await tab.cell(3).locator(".jp-OutputArea").textContent()).toContain("70");
    await tab.run(4);
    await eventually(() => inside(tab, 0).locator("output").textContent()).toBe("10");
    expect(tab.complaints).toEqual([]);
  });

  it("of others work: state, style, bytes and messages both ways", async () => {
    const { open } = await desk(
      { "w.ipynb": notebook(own, "[counter.get('count'), counter.get('bytes').length]") },
      false,
    );
    const tab = await open("w.ipynb");
    await tab.run(0);
    const button = inside(tab, 0).locator("button");
    await eventually(() => button.textContent()).toBe("count 0 bytes 4");
    expect(
      await button.evaluate(
        (el) => (el as unknown as Styled).ownerDocument.defaultView.getComputedStyle(el).fontWeight,
      ),
    ).toBe("700");
    await button.click();
    await eventually(() => button.textContent()).toBe("count 1 bytes 4 heard 2 6");
    await tab.run(1);
    expect(await tab.cell(1).locator(".jp-OutputArea").textContent()).toContain("[ 1, 2 ]");
  });

  it("come back when the page is loaded again, and a second page on the same kernel follows", async () => {
    const { open, root } = await desk({ "w.ipynb": notebook(controls, others) }, false);
    const tab = await open("w.ipynb");
    await tab.run(0);
    await inside(tab, 0).locator("input[type=range]").waitFor();
    await tab.run(1);
    await inside(tab, 0).locator("input[type=range]").fill("1000");
    await inside(tab, 1, 1).locator("select").selectOption("large");
    await tab.page.keyboard.press("Control+s");
    const saved = () =>
      JSON.parse(readFileSync(join(root, "w.ipynb"), "utf8")) as { metadata: Record<string, unknown> };
    await tab.menu("File", "Save Notebook");
    await eventually(() => JSON.stringify(saved().metadata.thalweg ?? {})).toContain('"tabs"');
    expect(JSON.stringify(saved().metadata), "no code in the file").not.toContain("_esm");
    const second = await open("w.ipynb");
    await eventually(() => inside(second, 1, 1).locator("select").inputValue()).toBe("1");
    await inside(second, 0).locator("input[type=range]").fill("0");
    await eventually(() => inside(tab, 0).locator("output").textContent()).toBe("1e-4");
    await inside(second, 0).getByRole("tab", { name: "rows" }).click();
    await inside(second, 0).getByRole("button", { name: "accuracy" }).click();
    await eventually(() => inside(second, 0).locator("tbody tr").first().textContent()).toContain("naive");
    await inside(second, 0).getByLabel("row 2").click();
    await eventually(() => inside(second, 0).locator("tr.thalweg-chosen").textContent()).toContain("replay");
    await second.page.setViewportSize({ width: 700, height: 900 });
    expect(await second.page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(700);
  });

  it("do not run when a notebook is only opened: neither its code nor its saved state", async () => {
    const evil = `<img src=x onerror="document.title='owned'">`;
    const output = {
      output_type: "display_data",
      metadata: {},
      data: {
        "application/vnd.jupyter.widget-view+json": { version_major: 2, version_minor: 0, model_id: "m" },
        "text/html": evil,
        "text/plain": "x",
      },
    };
    const file = {
      ...notebook({ source: "1", outputs: [output] }),
      metadata: {
        thalweg: { widgets: { m: { kind: "text", label: evil, value: evil, _esm: "document.title='owned'" } } },
        widgets: {
          "application/vnd.jupyter.widget-state+json": { state: { m: { state: { _esm: "document.title='owned'" } } } },
        },
      },
    };
    const { open } = await desk({ "w.ipynb": file }, false);
    const tab = await open("w.ipynb");
    await tab.cell(0).locator(".jp-OutputArea-output").waitFor();
    expect(await tab.page.locator("iframe").count()).toBe(0);
    expect(await tab.page.locator(".jp-OutputArea-output img[onerror]").count()).toBe(0);
    expect(await tab.page.title()).not.toContain("owned");
  });

  it("cannot reach the page, the cookie, the files or the kernel, and not the server at all", async () => {
    const probe = `widget({ state: {}, render: async ({ el }) => {
      const tried = {};
      const attempt = async (name, act) => { try { tried[name] = String(await act()) } catch (error) { tried[name] = error.name } el.textContent = JSON.stringify({ origin: self.origin, ...tried }); };
      await attempt("cookie", () => document.cookie);
      await attempt("page", () => parent.document.title);
      await attempt("storage", () => localStorage.length);
      await attempt("api", () => fetch("/api/contents").then((r) => r.status));
      await attempt("socket", () => new Promise((ok, no) => { const s = new WebSocket("ws://" + location.host + "/api/events/subscribe"); s.onopen = () => ok("open"); s.onerror = () => no(new Error("refused")) }));
      await attempt("top", () => { top.location.href = "about:blank"; return "gone" });
    } })`;
    const { open } = await desk({ "w.ipynb": notebook(probe) }, false);
    const tab = await open("w.ipynb");
    await tab.run(0);
    const root = inside(tab, 0).locator("#root");
    await eventually(() => root.textContent()).toContain("top");
    const told = JSON.parse((await root.textContent())!) as Record<string, string>;
    expect(told).toEqual({
      origin: "null",
      cookie: "SecurityError",
      page: "SecurityError",
      storage: "SecurityError",
      api: "TypeError",
      socket: expect.stringMatching(/SecurityError|Error/),
      top: "SecurityError",
    });
    expect(await tab.page.title()).toContain("w.ipynb");
  });

  // PICTURES=1, and a person looks at them.
  it.skipIf(!process.env.PICTURES)("look right, light and dark, wide and narrow", async () => {
    const { open, root } = await desk({ "w.ipynb": notebook(controls, others, own) }, false);
    const tab = await open("w.ipynb");
    await tab.run(0);
    await inside(tab, 0).locator("input[type=range]").waitFor();
    await tab.run(1);
    await inside(tab, 1, 6).locator("select").waitFor();
    await tab.run(2);
    await inside(tab, 2).locator("button").waitFor();
    await tab.menu("File", "Save Notebook");
    await eventually(() => readFileSync(join(root, "w.ipynb"), "utf8")).toContain('"tabs"');
    await tab.page.waitForTimeout(300);
    for (const [width, height] of [
      [1280, 1000],
      [700, 1000],
    ] as const) {
      await tab.page.setViewportSize({ width, height });
      for (const scheme of ["light", "dark"] as const) {
        await tab.page.emulateMedia({ colorScheme: scheme });
        await tab.page.reload();
        await eventually(() => tab.page.evaluate("document.body.dataset.jpThemeLight")).toBe(
          String(scheme === "light"),
        );
        await inside(tab, 2).locator("button").waitFor();
        await tab.page.waitForTimeout(500);
        await tab.picture(`widgets-${width}-${scheme}`);
      }
    }
  });
});
