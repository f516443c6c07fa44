/** The picture of a model: boxes, arrows, ways around. */
import type { Shape } from "../data/dataset.ts";
import { type Adding, type Join, joinedShape, label } from "./composite.ts";
import type { Layer } from "./layer.ts";
import type { ModelParts, Remembered } from "./model.ts";
import {
  type Block,
  box,
  column,
  dot,
  framed,
  parallel,
  type Recalled,
  sourceOf,
  svg,
  through,
} from "./parts/blocks.ts";

/** A picture that shows itself: as SVG, with a table of layers below it where the page can show one, and as text. */
export interface Diagram {
  toSVG(): string;
  toText(): string;
}

/**
 * The picture of a model: its layers from top to bottom, ways around them at their sides, remembered values as dashed lines. With the shape
 * of an example every layer has the shape that it gives, and the table the numbers of parameters.
 *
 * A net shows it by itself, without shapes. Layers that come several times in the same order are drawn once, with how often.
 *
 * @example
 * ```ts
 * import { diagram, net } from "thalweg";
 * const model = net().conv(8, 3).residual((n) => n.conv(8, 3).relu()).flatten();
 * diagram(model, [8, 8, 1]).toSVG().includes("8×8×8"); // true
 * ```
 */
export function diagram(model: ModelParts, input?: Shape): Diagram {
  const text = String((model as { readonly [inspect]?: () => string })[inspect]?.() ?? model.spec.name);
  const made: Diagram = {
    toSVG: () => drawn(model, input),
    toText: () =>
      input === undefined
        ? text
        : rowsOf(model, input)
            .map((row) => row.join("  "))
            .join("\n"),
  };
  return Object.freeze(
    Object.assign(made, {
      [Symbol.for("Jupyter.display")]: () => bundle(made, model, input),
      [inspect]: () => made.toText(),
    }),
  );
}

const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** What a notebook shows. */
function bundle(made: Diagram, model: ModelParts, input?: Shape): { readonly [type: string]: string } {
  const image = made.toSVG();
  const head = input === undefined ? ["layer", "options"] : ["layer", "output", "parameters"];
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag} style="text-align:left">${cell.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</${tag}>`).join("")}</tr>`;
  const rows = rowsOf(model, input).map((row) => cells("td", row));
  return {
    "image/svg+xml": image,
    "text/html": `<div style="overflow:auto;max-height:720px">${image}</div><details><summary>layers</summary><table>${cells("th", head)}${rows.join("")}</table></details>`,
    "text/plain": made.toText(),
  };
}

function rowsOf(model: ModelParts, input?: Shape): string[][] {
  if (input !== undefined)
    return model
      .summary(input)
      .map(({ layer, output, parameters }) => [layer, output.join("×"), parameters === 0 ? "" : String(parameters)]);
  const visit = (stack: readonly Layer[], depth: number): string[][] =>
    stack.flatMap(({ name, options, parts = [] }) => [
      [`${"\u00a0\u00a0".repeat(depth)}${name}`, wordsOf(options)],
      ...parts.flatMap(({ model }) => (model.stack === undefined ? [] : visit(model.stack, depth + 1))),
    ]);
  return visit(model.stack ?? [], 0);
}

function wordsOf(options: unknown): string {
  return Object.entries((options ?? {}) as object)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join("×") : String(value)}`)
    .join(", ");
}

/** A value on its way through a layer, with its shape where that is known. */
type Place = { readonly shape: Shape | undefined } & (
  | { readonly is: "input" }
  | { readonly is: "passed"; readonly of: Place; readonly part: number }
  | { readonly is: "joined"; readonly how: Join | Adding; readonly of: readonly Place[] }
  | { readonly is: "cut"; readonly of: Place }
  | { readonly is: "recalled"; readonly name: string }
);

function drawn(model: ModelParts, input: Shape | undefined): string {
  const whole = model.stack === undefined ? box(model.spec.name, "", colourOf("")) : chain(model, input, new Map());
  return svg(whole, input === undefined ? "input" : `input ${input.join("×")}`, "features");
}

/** Layers in a row; what comes several times in the same order is drawn once. */
function chain({ stack = [], names = [] }: ModelParts, input: Shape | undefined, remembered: Remembered<Shape>): Block {
  const blocks: Block[] = [];
  let shape = input;
  for (let at = 0; at < stack.length; ) {
    const [length, times] = repetition(stack, at);
    const before = shape;
    const once = stack.slice(at, at + length).map((layer, i) => {
      const seen = new Map(remembered);
      const after = shape === undefined ? undefined : layer.shape(shape, remembered);
      const own = names[at + i] === `${at + i + 1}-${layer.name}` ? undefined : names[at + i];
      const block = layerBlock(layer, shape, after, seen, own);
      shape = after;
      return block;
    });
    // with known shapes only what is the same each time is drawn once
    const same = times > 1 && String(shape) === String(before);
    blocks.push(...(same ? [framed(column(once), `× ${times}`)] : once));
    at += same ? length * times : length;
  }
  return column(blocks);
}

/** How many layers from a place on come again, and how often in all. */
function repetition(stack: readonly Layer[], at: number): readonly [length: number, times: number] {
  const text = (from: number, length: number): string => JSON.stringify(stack.slice(from, from + length).map(textOf));
  for (let length = 1; length <= 8; length++) {
    const first = text(at, length);
    if (first.includes('"tap"')) continue;
    let times = 1;
    while (at + (times + 1) * length <= stack.length && text(at + times * length, length) === first) times++;
    if (times > 1 && length * times > 2) return [length, times];
  }
  return [1, 1];
}

function textOf({ name, options, parts }: Layer): unknown {
  return [name, options, parts?.map(({ model }) => model.spec)];
}

/** `own` is the name of a part of a backbone. */
function layerBlock(
  layer: Layer,
  shape: Shape | undefined,
  after: Shape | undefined,
  seen: Remembered<Shape>,
  own?: string,
): Block {
  const below = after === undefined ? "" : after.join("×");
  if (layer.flow === undefined) return box(titleOf(layer), below, colourOf(layer.name));
  const dots: Block[] = [];
  const remembered = Object.assign(new Map<string, Place>(), {
    set(name: string) {
      dots.push(dot(name));
      return remembered;
    },
    get: (name: string): Place => ({ is: "recalled", name, shape: seen.get(name) }),
  }) as Remembered<Place>;
  const parts = layer.parts ?? [];
  const end = layer.flow<Place>(
    { is: "input", shape },
    {
      pass: (part, of) => ({
        is: "passed",
        of,
        part,
        shape: of.shape && parts[part]!.model.features(of.shape, parts[part]!.apart ? undefined : new Map(seen)),
      }),
      join: (how, of) => ({
        is: "joined",
        how,
        of,
        shape: of.every((one) => one.shape !== undefined)
          ? joinedShape(
              layer.name,
              how,
              of.map((one) => one.shape!),
            )
          : undefined,
      }),
      cut: (of, _, shape) => ({ is: "cut", of, shape }),
      remembered,
    },
  );
  if (layer.name === "inputs") return column([box(titleOf(layer), wordsOf(layer.options), colourOf("")), ...dots]);
  const inner = way(end, null, layer, seen, own);
  const blocks = column([...dots, ...(inner === null ? [] : [inner])]);
  return blocks === through ? (dots[0] ?? box(titleOf(layer), below, colourOf(""))) : blocks;
}

/** How a joint is drawn. */
const signs = { add: "+", multiply: "×", concat: "concat", orthogonal: "+ ⊥", "orthogonal-whole": "+ ⊥" } as const;

/** What happens to a value between a place and another; null where nothing does. */
function way(to: Place, from: Place | null, layer: Layer, seen: Remembered<Shape>, own?: string): Block | null {
  const all: Block[] = [];
  let at: Place | null = to;
  while (at !== null && at !== from) {
    if (at.is === "passed") {
      const { part, of }: Place & { is: "passed" } = at;
      let times = 1;
      let before: Place = of;
      while (before.is === "passed" && before.part === part) {
        times++;
        before = before.of;
      }
      all.unshift(partBlock(layer, part, times, before.shape, seen, own));
      at = before;
    } else if (at.is === "joined") {
      const root = rootOf(at.of);
      const ways = at.of.map((one): Block | Recalled =>
        one.is === "recalled" ? { recalled: one.name } : (way(one, root, layer, seen) ?? through),
      );
      all.unshift(parallel(ways, signs[at.how]));
      at = root;
    } else if (at.is === "recalled") {
      all.unshift(sourceOf(at.name));
      at = null;
    } else at = at.is === "cut" ? at.of : null;
  }
  return all.length === 0 ? null : column(all);
}

/** The last place that all values of a joint came through; null where they have none. */
function rootOf(places: readonly Place[]): Place | null {
  const paths = places.filter((one) => one.is !== "recalled").map(pathOf);
  const [first = []] = paths;
  return first.find((place) => paths.every((path) => path.includes(place))) ?? null;
}

/** A place and those it came through, the last first. */
function pathOf(place: Place): Place[] {
  const before =
    place.is === "passed" || place.is === "cut" ? place.of : place.is === "joined" ? rootOf(place.of) : null;
  return [place, ...(before === null ? [] : pathOf(before))];
}

function partBlock(
  layer: Layer,
  part: number,
  times: number,
  shape: Shape | undefined,
  seen: Remembered<Shape>,
  own?: string,
): Block {
  const { model, apart = false } = layer.parts![part]!;
  const { stack, spec } = model;
  if (stack === undefined)
    return box(spec.name, shape === undefined ? "" : model.features(shape).join("×"), colourOf(""));
  const inner = chain(model, shape, new Map(apart ? [] : seen));
  if (times > 1) return framed(inner, `× ${times}, the same weights`);
  const title = apart ? (own ?? (spec.name === "net" ? "" : spec.name)) : "";
  return title === "" ? inner : framed(inner, title);
}

/** A layer in a few letters, windows as `3×3`. */
function titleOf({ name, options }: Layer): string {
  const { filters, window, units, stride } = options as { readonly [name: string]: number | undefined };
  const step = stride !== undefined && stride > 1 && stride !== window ? ` /${stride}` : "";
  if (window !== undefined) return `${name} ${window}×${window}${step}${filters === undefined ? "" : `, ${filters}`}`;
  return units !== undefined && name === "dense" ? `${name} ${units}` : label({ name, options: plainOptions(options) });
}

function plainOptions(options: unknown): { readonly [name: string]: number | string } {
  return Object.fromEntries(
    Object.entries((options ?? {}) as object).filter(
      ([name, value]) => typeof value === "number" && !["epsilon", "momentum"].includes(name),
    ),
  );
}

function colourOf(name: string): string {
  const colours: readonly (readonly [RegExp, string])[] = [
    [/conv|pool|upsample/i, "#d9e8fb"],
    [/dense|embedding|patches/i, "#fde7cf"],
    [/norm/i, "#eef0f3"],
    [/transformer|attention|positions|token/i, "#e9ddf7"],
    [/gru|lstm|scan/i, "#dcefdc"],
  ];
  return colours.find(([pattern]) => pattern.test(name))?.[1] ?? "#f7f7f2";
}
