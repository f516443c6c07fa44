import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { namesOf } from "../../kernel/cell/names.ts";
import { notebookOf } from "../../kernel/notebook/nbformat.ts";
import { digest } from "../../kernel/stale/digest.ts";
import { faults } from "../../kernel/stale/saved.ts";
import { apply, type Effect, empty, type Operation, type State } from "../../kernel/stale/state.ts";
import { testKernel } from "./support/kernel.ts";

const names = (source: string) => {
  const { defines, uses, changes } = namesOf(source);
  return { defines: [...defines].sort(), uses: [...uses].sort(), changes: [...changes].sort() };
};

describe("the names of a cell", () => {
  test.each([
    ["const a = 1, { b, c: [d] } = e", ["a", "b", "d"], ["e"], []],
    ["import x, { y as z } from 'm'; import * as all from 'n'", ["all", "x", "z"], [], []],
    ["function f(p, q = outer) { let inner = p; return inner + other }", ["f"], ["other", "outer"], []],
    ["class A extends B { m() { return this.x + A } static { var v = 1; v } }", ["A"], ["B"], []],
    ["count++; total += n; other.member = 1", [], ["count", "n", "other", "total"], ["count", "total"]],
    ["({ a, b } = c)", [], ["a", "b", "c"], ["a", "b"]],
    ["for (const i of list) { const t = i; use(t) } for (var k in o) k", ["k"], ["list", "o", "use"], []],
    ["if (x) { var deep = 1; let not = 2 }", ["deep"], ["x"], []],
    ["interface I { a: number } const typed: I = given as I", ["typed"], ["given"], []],
    ["const f2 = ({ a }) => a.b.c + { d: e }.d", ["f2"], ["e"], []],
    ["try { risky() } catch (error) { log(error) }", [], ["log", "risky"], []],
    ["label: for (;;) { break label }", [], [], []],
    ["const named = function self() { return self }; arguments2", ["named"], ["arguments2"], []],
    ["export const shown = 1; export function g() {}", ["g", "shown"], [], []],
    ["let x = ", [], [], []],
  ])("%s", (source, defines, uses, changes) => {
    expect(names(source)).toEqual({ defines, uses, changes });
  });

  test("tell what trains by what the cell itself waits for", () => {
    for (const source of [
      "await study.run({ seeds: 3 })",
      "const r = (await compare(a, b)).curves()",
      "for await (const e of fit(spec)) log(e)",
    ])
      expect(namesOf(source).trains, source).toBe(true);
    for (const source of ["study.train({ epochs: 1 })", "await other()", "const go = async () => study.run()", "run"])
      expect(namesOf(source).trains, source).toBe(false);
  });
});

/** A notebook told as operations; a number runs the cell at that place. */
function told(cells: string[], ...steps: (number | string[] | Operation)[]) {
  let state: State = empty;
  let run = 0;
  let document = cells;
  const effects: Effect[] = [];
  const take = (operation: Operation) => {
    const [next, done] = apply(state, operation, namesOf);
    state = next;
    effects.push(...done);
    return done;
  };
  const show = () => take({ op: "document", cells: document.map((source, i) => ({ id: `c${i}`, source })) });
  show();
  for (const step of steps) {
    if (typeof step === "number") take({ op: "ran", cell: `c${step}`, source: document[step]!, run: ++run });
    else if (Array.isArray(step)) {
      document = step;
      show();
    } else take(step);
  }
  const asked = (training = false) => take({ op: "asked", training });
  return {
    stale: () => [...state.stale.keys()].map((id) => Number(id.slice(1))),
    why: (i: number) => state.stale.get(`c${i}`),
    effects,
    asked,
    plan: (training = false) =>
      asked(training).flatMap((effect) => (effect.do === "run" ? effect.cells.map((id) => Number(id.slice(1))) : [])),
  };
}

describe("stale cells, as a function of what happened", () => {
  const chain = ["let a = 1", "const b = a + 1", "b * 2", "'alone'"];

  test("none, when all ran in order; cells that never ran are not stale", () => {
    expect(told(chain, 0, 1, 2, 3).stale()).toEqual([]);
    expect(told(chain, 0, 1).stale()).toEqual([]);
  });

  test("those below what was defined anew, and what depends on them; they are run in order", () => {
    const again = told(chain, 0, 1, 2, 3, 0);
    expect(again.stale()).toEqual([1, 2]);
    expect(again.why(1)).toBe("a was defined anew after it ran");
    expect(again.why(2)).toBe("b comes from a cell that is stale");
    expect(again.plan()).toEqual([1, 2]);
    expect(told(chain, 0, 1, 2, 3, 0, 1).stale()).toEqual([2]);
    expect(told(chain, 0, 1, 2, 3, 0, 1, 2).stale()).toEqual([]);
  });

  test("a cell that was edited, until it runs, or says again what it said", () => {
    const edited = told(chain, 0, 1, 2, ["let a = 5", ...chain.slice(1)]);
    expect(edited.stale()).toEqual([0, 1, 2]);
    expect(edited.why(0)).toBe("it was edited after it ran");
    expect(edited.plan()).toEqual([0, 1, 2]);
    expect(told(chain, 0, 1, 2, ["let a = 5", ...chain.slice(1)], chain).stale()).toEqual([]);
    expect(told(chain, 0, 1, 2, ["let a = 1  \n", ...chain.slice(1)]).stale()).toEqual([]);
  });

  test("a cell whose definition is gone, or moved, or newly stands between", () => {
    expect(told(["let a = 1", "a"], 0, 1, ["'other'", "a"]).stale()).toEqual([0, 1]);
    const between = told(["let a = 1", "a", "a"], 0, 1);
    expect(between.stale()).toEqual([]);
    let [state] = apply(
      empty,
      {
        op: "document",
        cells: [
          { id: "x", source: "let a = 1" },
          { id: "y", source: "a" },
        ],
      },
      namesOf,
    );
    for (const [i, [cell, source]] of [["x", "let a = 1"] as const, ["y", "a"] as const].entries())
      [state] = apply(state, { op: "ran", cell, source, run: i + 1 }, namesOf);
    const grown = [
      { id: "x", source: "let a = 1" },
      { id: "n", source: "a = 2" },
      { id: "y", source: "a" },
    ];
    const [next, effects] = apply(state, { op: "document", cells: grown }, namesOf);
    expect(effects).toEqual([{ do: "mark", cell: "y", why: "a is defined in a cell that has not run" }]);
    const [gone] = apply(next, { op: "document", cells: [{ id: "y", source: "a" }] }, namesOf);
    expect(gone.stale.get("y")).toBe("a came from a cell that is not there any more");
  });

  test("two cells that define one name: each is right for those below it, and what ran after the wrong one is stale", () => {
    const two = ["let x = 1", "x", "x = 2", "x + 1"];
    expect(told(two, 0, 1, 2, 3).stale()).toEqual([]);
    const wrong = told(two, 0, 1, 2, 3, 1);
    expect(wrong.stale()).toEqual([1]);
    expect(wrong.why(1)).toMatch(/was not what the cell above makes it/);
    expect(wrong.plan(), "the first definition must run again for the second cell, and then the rest").toEqual([0, 1]);
  });

  test("a cell that changes what it uses is stale after its second run, and its plan begins at the definition", () => {
    const counting = ["let n = 0", "n++", "n"];
    expect(told(counting, 0, 1, 2).stale()).toEqual([]);
    const twice = told(counting, 0, 1, 2, 1);
    expect(twice.stale()).toEqual([1, 2]);
    expect(twice.plan()).toEqual([0, 1, 2]);
  });

  test("training never runs unasked, and what waits for it waits", () => {
    const training = ["const lr = 1", "const r = await study.run(lr)", "r", "lr"];
    const asked = told(training, 0, 1, 2, 3, 0);
    expect(asked.stale()).toEqual([1, 2, 3]);
    expect(asked.plan()).toEqual([3]);
    expect(asked.asked().find((effect) => effect.do === "tell")).toMatchObject({
      text: expect.stringMatching(/^2 cells that trains/),
    });
    expect(asked.plan(true)).toEqual([1, 2, 3]);
  });

  test("a restart forgets; marks are taken off once", () => {
    const again = told(chain, 0, 1, 2, 0, { op: "restarted" });
    expect(again.stale()).toEqual([]);
    expect(again.effects.map((effect) => effect.do)).toEqual(["mark", "mark", "unmark", "unmark"]);
  });

  test("running the plan leaves nothing stale, whatever was run and edited before", () => {
    let seed = 7;
    const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
    const texts = ["let a = 1", "let b = a", "b = a + b", "let c = b", "a = c", "c + a", "'alone'"];
    for (let round = 0; round < 300; round++) {
      let cells = Array.from({ length: 5 }, () => texts[random(texts.length)]!);
      const steps: (number | string[])[] = [];
      for (let i = 0; i < 8; i++) {
        if (random(4) === 0) {
          cells = cells.with(random(5), texts[random(texts.length)]!);
          steps.push(cells);
        } else steps.push(random(5));
      }
      const before = told(
        ["", "", "", "", ""],
        cells,
        ...steps.map((step) => (typeof step === "number" ? step : step)),
      );
      const plan = before.plan();
      // Names that no cell above defines are those that cannot be made right by running.
      const lost = cells.some((source, i) =>
        namesOf(source).uses.some(
          (name) =>
            !cells.slice(0, i).some((above) => [...namesOf(above).defines, ...namesOf(above).changes].includes(name)),
        ),
      );
      if (lost) continue;
      const after = told(["", "", "", "", ""], cells, ...steps, ...plan);
      expect(after.stale(), JSON.stringify({ cells, steps, plan })).toEqual([]);
    }
  });
});

describe("a saved notebook", () => {
  const cell = (
    id: string,
    source: string,
    count: number | null,
    ran: string | undefined = source,
    outputs: unknown[] = [],
  ) => ({
    ...{ cell_type: "code", id, source, execution_count: count, outputs },
    metadata: ran === undefined ? {} : { thalweg: { ran: digest(ran) } },
  });
  const wrong = (...cells: unknown[]) => faults(notebookOf({ nbformat: 4, metadata: {}, cells }));

  test("is as it should be when it ran from the top; also when cells that nothing depends on ran later", () => {
    expect(wrong(cell("a", "let a = 1", 1), cell("b", "a", 2))).toEqual([]);
    expect(wrong(cell("a", "'x'", 3), cell("b", "let b = 1", 1), cell("c", "b", 2))).toEqual([]);
  });

  test("is refused with the cell and the reason", () => {
    expect(wrong(cell("a", "let a = 1", 2), cell("b", "a", 1))).toMatchObject([
      { cell: 2, why: expect.stringMatching(/defined in|not what|anew/) },
    ]);
    expect(wrong(cell("a", "let a = 2", 1, "let a = 1"), cell("b", "a", 2))).toMatchObject([
      { cell: 1, why: "it was edited after it ran" },
      { cell: 2, why: expect.stringContaining("a") },
    ]);
    expect(wrong(cell("a", "1", 1), cell("b", "2", 1))[0]?.why).toMatch(/different sessions/);
    expect(
      wrong(cell("a", "1", null, undefined, [{ output_type: "stream", name: "stdout", text: "x" }]))[0]?.why,
    ).toMatch(/no number/);
  });
});

describe("the kernel", () => {
  let k: ReturnType<typeof testKernel>;
  beforeAll(() => {
    k = testKernel();
  });
  afterAll(() => k.close());
  const run = (id: string, code: string) => k.execute(code, {}, { cellId: id });

  it("tells a frontend that knows nothing of this with a line when a cell runs again, and one that asks with the cells to run", async () => {
    expect((await run("a", "let a = 1")).stderr).toBe("");
    await run("b", "let b = a");
    await run("c", "b");
    const again = await run("a", "let a = 2; var z = 1");
    expect(again.stderr).toBe("Stale now: [2], [3] (a was defined anew after it ran).\n");
    expect(again.messages.find((m) => m.header.msg_type === "stream")!.metadata).toMatchObject({
      thalweg: { stale: { b: expect.any(String), c: expect.any(String) } },
    });
    const cells = [
      { id: "a", source: "let a = 2; var z = 1" },
      { id: "b", source: "let b = a" },
      { id: "c", source: "b" },
    ];
    const asked = await k.request("stale_request", { cells, ask: "stale" }, { channel: "control" }).reply();
    expect(asked).toMatchObject({ status: "ok", run: ["b", "c"], told: [] });
    for (const id of ["b", "c"]) expect((await run(id, cells.find((cell) => cell.id === id)!.source)).stderr).toBe("");
    expect(await k.request("stale_request", { cells }, { channel: "control" }).reply()).toEqual({
      status: "ok",
      stale: {},
    });
  });

  it("forgets what a process that ended had", async () => {
    await run("d", "let d = 1");
    await run("e", "d");
    await run("x", "process.exit(1)");
    const cells = [
      { id: "d", source: "let d = 2" },
      { id: "e", source: "d" },
    ];
    expect((await k.request("stale_request", { cells }, { channel: "control" }).reply()).stale).toEqual({});
  });
});
