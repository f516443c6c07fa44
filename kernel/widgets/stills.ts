/**
 * What a control looks like where no kernel runs: HTML without a script, from its last state. Every value passes `escapeHtml`: the state
 * may come from a file that others wrote.
 */
import { escapeHtml } from "../html.ts";
import type { State } from "./buffers.ts";

export const viewMime = "application/vnd.jupyter.widget-view+json";

const text = (value: unknown): string => (value === undefined || value === null ? "" : escapeHtml(value));
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const has = (state: State, key: string) => state[key] !== undefined && state[key] !== null && state[key] !== "";

/** Numbers as people write them: four digits that count. */
export function short(value: unknown): string {
  if (typeof value !== "number" || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace(/\.?0*e\+?/, "e");
  return String(Number(value.toPrecision(4)));
}

function place(state: State, value: unknown): number {
  const [min, max, at] = [Number(state.min), Number(state.max), Number(value)];
  const part = state.log === true ? Math.log(at / min) / Math.log(max / min) : (at - min) / (max - min);
  return Number.isFinite(part) ? Math.min(1, Math.max(0, part)) * 100 : 0;
}

/** A line with a mark, or with a part of it filled. */
function track(from: number, to: number): string {
  const bar = (left: number, width: number, colour: string) =>
    `<span style="position:absolute;left:${left.toFixed(1)}%;width:${width.toFixed(1)}%;height:4px;border-radius:2px;background:${colour}"></span>`;
  return `<span style="position:relative;display:inline-block;width:12em;height:4px;vertical-align:middle">${bar(0, 100, "rgba(128,128,128,.35)")}${bar(from, to - from, "#3178c6")}</span>`;
}

const box = (on: boolean) => (on ? "☑" : "☐");
const framed = (content: string) =>
  `<span style="border:1px solid rgba(128,128,128,.5);border-radius:4px;padding:.1em .5em">${content}</span>`;

const inside: Record<string, (state: State) => string> = {
  slider: (s) => `${track(0, place(s, s.value))} ${text(short(s.value))}`,
  range: (s) => {
    const [from, to] = list(s.value);
    return `${track(place(s, from), place(s, to))} ${text(short(from))} – ${text(short(to))}`;
  },
  number: (s) => framed(text(short(s.value))),
  text: (s) => framed(text(s.value) || "&nbsp;"),
  checkbox: (s) => `${box(s.value === true)} ${text(s.label)}`,
  button: (s) => framed(text(s.label)),
  select: (s) => {
    const labels = list(s.labels);
    const chosen = list(s.value).map((i) => labels[Number(i)]);
    return framed(`${chosen.map(text).join(", ") || "&nbsp;"}${s.multiple === true ? "" : " ▾"}`);
  },
  table: (s) => {
    const chosen = new Set(list(s.value).map(Number));
    const head = list(s.columns).map((name) => `<th>${text(name)}</th>`);
    const rows = list(s.rows).map((row, i) => {
      const cells = list(row).map((cell) => `<td>${text(typeof cell === "number" ? short(cell) : cell)}</td>`);
      return `<tr${chosen.has(i) ? ' style="background:rgba(49,120,198,.2)"' : ""}>${cells.join("")}</tr>`;
    });
    return `<table><thead><tr>${head.join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
  },
  tabs: (s) => {
    const titles = list(s.titles).map((title, i) => (i === s.value ? `<b>${text(title)}</b>` : text(title)));
    const panel = list(s.panels)[Number(s.value)] as { text?: unknown } | undefined;
    return `<div>${titles.join(" · ")}</div><pre>${text(panel?.text)}</pre>`;
  },
};
const ownLabel = new Set(["checkbox", "button"]);

/** @returns undefined when the state is not that of one of our controls. */
export function still(state: State): string | undefined {
  const draw = Object.hasOwn(inside, String(state.kind)) ? inside[String(state.kind)] : undefined;
  if (!draw) return undefined;
  const label = has(state, "label") && !ownLabel.has(String(state.kind)) ? `${text(state.label)} ` : "";
  return `<div class="thalweg-still" style="padding:.15em 0">${label}${draw(state)}</div>`;
}

/** The last states of the widgets of a notebook, as its metadata keep them. */
export function keptStates(metadata: Record<string, unknown>): Record<string, State> {
  const own = metadata.thalweg as { widgets?: unknown } | undefined;
  const kept = own?.widgets;
  return typeof kept === "object" && kept !== null ? (kept as Record<string, State>) : {};
}

/** What of a state is kept with a notebook: no code, nothing binary, nothing that is how the protocol names things. */
export function keepable(state: State): State | undefined {
  if (state.kind === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(state).filter(
      ([key, value]) =>
        !key.startsWith("_") && key !== "layout" && !ArrayBuffer.isView(value) && !(value instanceof ArrayBuffer),
    ),
  );
}

/** The id of the model that an output shows. */
export const modelIdOf = (data: Record<string, unknown>): string | undefined => {
  const view = data[viewMime] as { model_id?: unknown } | undefined;
  return typeof view?.model_id === "string" ? view.model_id : undefined;
};
