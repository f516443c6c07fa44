import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { accuracyCurves, accuracyHeatmap, type Figure, figure, gapZoom } from "../../lib/plots/index.ts";
import { optimizerRace } from "../../lib/plots/optimizer-race.ts";
import { inkOn, palette } from "../../lib/plots/parts/colour.ts";
import { numberText } from "../../lib/plots/parts/number-text.ts";
import { scaleOf } from "../../lib/plots/parts/scales.ts";
import { quartiles } from "../../lib/plots/parts/summaries.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { madeRun, madeRuns, randomly } from "./runs.ts";

/** One of everything that is drawn. */
const gallery: Record<string, () => Figure> = {
  lines: () =>
    figure({
      data: [
        { type: "scatter", x: [1, 10, 100, 1000], y: [1, 3, 2, 4], name: "solid & <b>bold</b>" },
        { type: "scatter", x: [1, 10, 100, 1000], y: [2, null, 1, 3], name: "with a gap", line: { dash: "dash" } },
        { type: "scatter", x: [1, 10, 100, 1000], y: [0, 1, 0.5, 2], name: "steps", line: { shape: "hv" } },
        {
          type: "scatter",
          x: [1, 10, 100, 1000],
          y: [1, 0.5, 0.2, 0.1],
          name: "area",
          fill: "tozeroy",
          fillcolor: "rgba(0,0,0,0.1)",
        },
      ],
      layout: {
        title: { text: "Lines" },
        xaxis: { type: "log", title: { text: "steps" } },
        yaxis: { title: { text: "loss (nats)" } },
      },
    }),
  points: () =>
    figure({
      data: (["circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "line-ns"] as const).map(
        (symbol, row) => ({
          type: "scatter",
          mode: "markers",
          name: symbol,
          x: [1, 2, 3],
          y: [row, row + 0.5, row],
          marker: { symbol, size: [6, 10, 14] },
          ...(row === 0 ? { error_y: { type: "data", array: [0.3, 0.2, 0.4] } as const } : {}),
        }),
      ),
      layout: { title: { text: "Points" }, height: 420 },
    }),
  "coloured-points": () =>
    figure({
      data: [
        {
          type: "scatter",
          mode: "markers+text",
          x: [1, 2, 3],
          y: [3, 1, 2],
          text: ["a", "b", "c"],
          textposition: "middle right",
          marker: {
            color: [0, 5, 10],
            colorscale: "accuracy",
            showscale: true,
            size: 10,
            colorbar: { title: { text: "score" } },
          },
        },
      ],
      layout: { title: { text: "Coloured by a number" } },
    }),
  "sideways-bars": () =>
    figure({
      data: [
        { type: "bar", orientation: "h", name: "gain", x: [3, -2, 1], y: ["a", "b", "c"], text: ["+3", "−2", "+1"] },
        { type: "bar", orientation: "h", name: "other", x: [1, 1, 2], y: ["a", "b", "c"] },
      ],
      layout: { title: { text: "Bars" }, xaxis: { title: { text: "points" } } },
    }),
  timeline: () =>
    figure({
      data: [
        { type: "bar", orientation: "h", name: "task 0", base: [0, 40], x: [10, 15], y: ["run 1", "run 2"] },
        { type: "bar", orientation: "h", name: "task 1", base: [10, 55], x: [30, 20], y: ["run 1", "run 2"] },
      ],
      layout: { title: { text: "Timeline" }, barmode: "overlay", xaxis: { title: { text: "seconds" } } },
    }),
  boxes: () => {
    const random = randomly(1);
    const values = () => Array.from({ length: 30 }, () => random() + random());
    return figure({
      data: ["naive", "replay"].map((name) => ({
        type: "box",
        name,
        y: [...values(), 2.9],
        boxpoints: name === "naive" ? "all" : false,
      })),
      layout: { title: { text: "Boxes" }, showlegend: false },
    });
  },
  histogram: () => {
    const random = randomly(2);
    return figure({
      data: [
        {
          type: "histogram",
          x: Array.from({ length: 500 }, () => random() + random() + random()),
          xbins: { start: 0, end: 3, size: 0.2 },
        },
      ],
      layout: {
        title: { text: "Histogram" },
        xaxis: { title: { text: "value" } },
        yaxis: { title: { text: "count" } },
      },
    });
  },
};

const settled = (svg: string): string => svg.replace(/tw[0-9a-z]{5,8}(?=[pc]\d)/g, "f0");

describe("every kind of mark", () => {
  test.each(Object.keys(gallery))("%s", async (name) => {
    const drawn = gallery[name]!();
    await expect(`${settled(drawn.toSVG())}\n`).toMatchFileSnapshot(`output/marks/${name}.svg`);
    expect(drawn.toSVG()).not.toMatch(/NaN|undefined|Infinity/);
    expect(drawn.toText().length).toBeGreaterThan(20);
  });
});

describe("a figure", () => {
  const drawn = accuracyHeatmap(madeRuns());

  test("is frozen plotly JSON, and leaves the caller's arrays alone", () => {
    const x = [1, 2, 3];
    const y = new Float32Array([0.5, 1, 2]);
    const made = figure({ data: [{ type: "scatter", x, y: y as unknown as number[] }] });
    expect(Object.isFrozen(made.data[0])).toBe(true);
    expect(Object.isFrozen((made.data[0] as { x: unknown }).x)).toBe(true);
    x.push(4);
    expect(made.toJSON()).toMatchObject({ data: [{ x: [1, 2, 3], y: [0.5, 1, 2] }] });
    expect(JSON.parse(JSON.stringify(made))).toEqual(
      JSON.parse(JSON.stringify({ data: made.data, layout: made.layout })),
    );
  });

  test("escapes text from data wherever it is shown", () => {
    const hostile = `</text><script>alert("1")</script>&'`;
    const made = figure({
      data: [
        { type: "bar", name: hostile, x: [hostile], y: [1] },
        { type: "bar", name: "b", x: [hostile], y: [2], text: [hostile] },
      ],
      layout: {
        title: { text: hostile, subtitle: { text: hostile } },
        xaxis: { title: { text: hostile } },
        annotations: [{ text: hostile, x: 0, y: 0, showarrow: false }],
      },
    });
    expect(made.toSVG()).not.toContain("<script");
  });

  test("refuses colours and sizes that would leave their attribute", () => {
    const line = { type: "scatter", x: [1, 2], y: [1, 2] } as const;
    expect(() => figure({ data: [{ ...line, line: { color: `red"/><script>x</script>` } }] })).toThrow(
      "figure: a colour is required for color, got",
    );
    expect(() => figure({ data: [{ ...line, line: { width: `1"/>` as never } }] })).toThrow(
      "a number is required for width",
    );
    expect(() => figure({ data: [line], layout: { height: `1"/>` as never } })).toThrow(
      "a number is required for height",
    );
    for (const color of ["#fff", "#0072b2", "rgba(0, 1, 2, .5)", "rebeccapurple"]) {
      expect(figure({ data: [{ ...line, line: { color } }] }).toSVG()).toContain(color);
    }
  });

  test("refuses kinds of traces that it could not show everywhere", () => {
    expect(() => figure({ data: [{ type: "pie" } as never] })).toThrow(
      "figure: a trace of type scatter, bar, heatmap, histogram or box is required, got pie",
    );
  });

  test("saves itself by the end of the name, and not otherwise", () => {
    const folder = mkdtempSync(join(tmpdir(), "figure-"));
    try {
      for (const name of ["a.svg", "a.html", "a.json"]) drawn.save(join(folder, name));
      expect(readFileSync(join(folder, "a.svg"), "utf8")).toMatch(/^<svg /);
      expect(readFileSync(join(folder, "a.html"), "utf8")).toMatch(/^<!doctype html>/);
      expect(JSON.parse(readFileSync(join(folder, "a.json"), "utf8"))).toMatchObject({
        layout: { title: { text: "Accuracy after each experience" } },
      });
      expect(() => drawn.save(join(folder, "a.png"))).toThrow(
        "a file name that ends in .svg, .html or .json is required",
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("draws nothing but its frame when there is no data", () => {
    for (const empty of [
      figure({ data: [] }),
      accuracyHeatmap([]),
      figure({ data: [{ type: "scatter", x: [], y: [] }] }),
    ]) {
      expect(empty.toSVG()).toMatch(/^<svg [\s\S]*<\/svg>$/);
      expect(empty.toSVG()).not.toMatch(/NaN|Infinity/);
      expect(typeof empty.toText()).toBe("string");
    }
  });

  test("of fifty thousand points stays small, and keeps the peaks", () => {
    const y = Array.from({ length: 50_000 }, (_, index) => (index === 31_234 ? 9 : Math.sin(index / 500)));
    const long = figure({ data: [{ type: "scatter", x: y.map((_, index) => index), y }] });
    const svg = long.toSVG();
    expect(svg.length).toBeLessThan(60_000);
    expect(long.toText()).toContain("⠀");
    const tops = [...svg.matchAll(/ (\d+(?:\.\d)?)L/g)].map((match) => Number(match[1]));
    expect(Math.min(...tops)).toBeLessThan(35);
  });

  test("of a long run fits into a notebook's message, dips and all", () => {
    const run = madeRun({ tasks: 10, stepsEach: 2000, everySteps: 4, dip: 0.5 });
    const curves = accuracyCurves([run]);
    expect(JSON.stringify(curves).length).toBeLessThan(500_000);
    const first = curves.data.find((trace) => trace.name === "task 0") as unknown as { y: number[] };
    const exact = run.flatMap((event) => (event.type === "evaluated" && event.on === 0 ? [event.accuracy] : []));
    expect(first.y.length).toBeLessThanOrEqual(601);
    expect(Math.min(...first.y)).toBe(Math.min(...exact));
    expect(Math.max(...first.y)).toBe(Math.max(...exact));
    expect(first.y.at(-1)).toBe(exact.at(-1));
  });

  test("says which experience a zoom needs", () => {
    expect(() => gapZoom([madeRun({ tasks: 2 })], { experience: 7 })).toThrow(
      "an experience that every run has begun is required, got 7",
    );
  });
});

describe("a figure in a terminal", () => {
  test("is a table of numbers for a heat map", () => {
    const made = figure({
      data: [
        {
          type: "heatmap",
          z: [
            [0.5, Number.NaN],
            [0.25, 1],
          ],
          x: ["a", "b"],
          y: ["first", "second"],
        },
      ],
      layout: { title: { text: "Matrix" } },
    });
    expect(made.toText()).toBe(["Matrix", "           a     b", " first   0.5     ·", "second  0.25     1"].join("\n"));
  });

  test("is bars of blocks for bars, dotted where negative", () => {
    const made = figure({ data: [{ type: "bar", name: "gain", x: ["naive", "ewc"], y: [4, -2] }] });
    expect(made.toText()).toBe(["gain", `naive ${"█".repeat(40)} 4`, `  ewc ${"▒".repeat(20)} −2`].join("\n"));
  });

  test("is dots for lines, from the lower left to the upper right when they rise", () => {
    const lines = figure({ data: [{ type: "scatter", name: "up", x: [0, 1], y: [0, 1] }] })
      .toText()
      .split("\n");
    expect(lines[0]).toMatch(/[⠁-⣿]$/);
    expect(lines[11]!.split("┤")[1]).toMatch(/^[⠁-⣿]/);
    expect(lines.at(-1)).toBe("up: ends at 1");
  });
});

describe("ticks and numbers", () => {
  const ticks = (low: number, high: number, spec = {}) =>
    scaleOf("x", { range: [low, high], ...spec }, [{ values: [low, high] }])
      .ticks(5)
      .map(({ text }) => text);

  test("fall on round numbers", () => {
    expect(ticks(0, 1)).toEqual(["0", "0.2", "0.4", "0.6", "0.8", "1"]);
    expect(ticks(-0.07, 0.13)).toEqual(["−0.05", "0", "0.05", "0.1"]);
    expect(ticks(0, 1, { tickformat: ".0%", dtick: 0.25 })).toEqual(["0%", "25%", "50%", "75%", "100%"]);
    expect(ticks(0, 60_000)).toEqual(["0", "20k", "40k", "60k"]);
  });

  test("fall on powers of ten on a log axis", () => {
    expect(
      scaleOf("x", { type: "log" }, [{ values: [0.001, 1000] }])
        .ticks(5)
        .map(({ text }) => text),
    ).toEqual(["0.001", "0.01", "0.1", "1", "10", "100", "1000"]);
  });

  test.each([
    [0.1234, ".1%", "12.3%"],
    [-0.004, ".0%", "0%"],
    [1234567, ",d", "1,234,567"],
    [-3, undefined, "−3"],
    [1.5e-7, undefined, "1.5e−7"],
    [12_500, undefined, "12.5k"],
    [Number.NaN, undefined, "NaN"],
  ])("%d as %s is %s", (value, format, text) => {
    expect(numberText(value, format)).toBe(text);
  });

  test("quartiles are plotly's: linear at n·p + 1/2", () => {
    expect(quartiles([1, 2, 3, 4, 5, 6, 7, 8])).toEqual({ low: 1, lower: 2.5, middle: 4.5, upper: 6.5, high: 8 });
    expect(quartiles([1, 2, 3, 100]).high).toBe(100);
    expect(quartiles([1, 2, 3, 4, 5, 6, 7, 100]).high).toBe(7);
  });
});

describe("colours", () => {
  /** How a colour looks without the sensitivity of one kind of cone (Viénot, Brettel and Mollon 1999), in linear light. */
  const seenBy = (colour: string, kind: "deutan" | "protan"): readonly number[] => {
    const [r, g, b] = linear(colour);
    const first = kind === "deutan" ? 0.29275 * r + 0.70725 * g : 0.11238 * r + 0.88762 * g;
    const third = kind === "deutan" ? -0.02234 * r + 0.02234 * g + b : 0.00401 * r - 0.00401 * g + b;
    return [first, first, third];
  };
  const linear = (colour: string): [number, number, number] =>
    [1, 3, 5].map((at) => (Number.parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2) as [number, number, number];

  test("of the first five series stay apart for all kinds of colour vision", () => {
    for (const kind of ["deutan", "protan"] as const) {
      for (const [i, a] of palette.slice(0, 5).entries()) {
        for (const b of palette.slice(i + 1, 5)) {
          const [p, q] = [seenBy(a, kind), seenBy(b, kind)];
          expect(Math.hypot(...p.map((value, index) => value - q[index]!))).toBeGreaterThan(0.08);
        }
      }
    }
  });

  test("of text on cells have a contrast of at least 4 on every shade", () => {
    const luminance = (colour: string): number => {
      const [r, g, b] = linear(colour);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const svg = accuracyHeatmap([madeRun()]).toSVG();
    const shades = [...svg.matchAll(/fill="(#[0-9a-f]{6})"><title>/g)].map((match) => match[1]!);
    expect(shades.length).toBeGreaterThan(10);
    for (const shade of shades) {
      const [a, b] = [luminance(shade), luminance(inkOn(shade))].sort((x, y) => y - x) as [number, number];
      expect((a + 0.05) / (b + 0.05)).toBeGreaterThan(4);
    }
  });
});

test("optimizers are held against each other at the same budget, each at the rate whose last losses are the least", () => {
  const run = (...losses: number[]): TrainEvent[] =>
    losses.map((loss, i) => ({ type: "step", step: i + 1, experience: 0, epoch: 0, loss, terms: { task: loss } }));
  const race = optimizerRace(
    [
      { name: "a", lr: 0.1, logs: [run(3, 2, 1)] },
      { name: "a", lr: 1, logs: [run(3, 1, 2)] },
      // it begins best and does not reach the end
      { name: "a", lr: 10, logs: [run(0.1)] },
      { name: "b", lr: 0.1, logs: [run(3, 3, 3)] },
    ],
    { last: 0.3, everySteps: 1 },
  );
  expect(race.data.map(({ name }) => name)).toEqual(["a, lr 0.1", "a", "b, lr 0.1", "b"]);
  expect(race.data[0]).toMatchObject({ y: [3, 2, 1] });
  expect(race.data[1]).toMatchObject({ x: [0.1, 1], y: [1, 2] });
  expect(() => optimizerRace([{ name: "a", lr: 1, logs: [] }])).toThrow(
    "a rate at which a reaches the end is required",
  );
});
