/** A control: a widget that holds one value. */
import type { State } from "../../widgets/buffers.ts";
import { viewModule, viewStyle } from "../../widgets/views.ts";
import { displaySymbol } from "../show.ts";
import { attended } from "../stdin.ts";
import { type Widget, widget } from "../widget.ts";

export interface Control<T> extends AsyncIterable<T> {
  /** What it stands at; to assign moves it in the page. */
  value: T;
  readonly widget: Widget;
  /** Calls `listener` with every new value. @returns a function that takes it off. */
  onChange(listener: (value: T) => void): () => void;
  /** Takes it out of the pages; iterations over it end. */
  close(): void;
}

export interface ControlOptions {
  /** Text before it. */
  label?: string;
}

interface Parts<T> {
  kind: string;
  state: State & { value: unknown };
  /** The value that the state stands for; the state's own by default. */
  read?(value: unknown): T;
  /** The state of a value. @throws when it may not stand there. */
  write(value: T): unknown;
}

export function control<T>({ kind, state, read = (value) => value as T, write }: Parts<T>): Control<T> {
  const made = widget({ state: { kind, ...state }, esm: viewModule(kind), css: viewStyle(), name: kind });
  const value = () => read(made.get("value"));
  return Object.defineProperty(
    {
      get value() {
        return value();
      },
      set value(next: T) {
        made.set({ value: write(next) });
      },
      widget: made,
      onChange: (listener: (value: T) => void) => made.on("change:value", () => listener(value())),
      close: () => made.close(),
      [Symbol.asyncIterator]: () => values(made, value),
    },
    displaySymbol,
    { value: () => (made as unknown as { [displaySymbol](): unknown })[displaySymbol]() },
  );
}

/** Every new value as it comes; who is slow gets the last one only. Where no person is there, as in `thalweg run`, none comes. */
async function* values<T>(from: Widget, value: () => T): AsyncGenerator<T, void, void> {
  let wake = () => {};
  let news = false;
  const hear = () => {
    news = true;
    wake();
  };
  const off = [from.on("change:value", hear), from.on("close", hear)];
  try {
    while (!from.closed && attended()) {
      if (!news) await new Promise<void>((resolve) => (wake = resolve));
      news = false;
      if (!from.closed) yield value();
    }
  } finally {
    for (const stop of off) stop();
  }
}

/** A number between two ends. @throws RangeError */
export function between(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw new RangeError(`${name}: a number from ${min} to ${max} is required, got ${String(value)}`);
}

/** Checks the two ends of a scale. @throws RangeError */
export function ends(name: string, min: number, max: number, log: boolean): void {
  if (!(Number.isFinite(min) && Number.isFinite(max) && min < max))
    throw new RangeError(`${name}: two numbers, the smaller first, are required, got ${min} and ${max}`);
  if (log && min <= 0)
    throw new RangeError(`${name}: with log both ends must be above 0, got ${min}; begin at a small number`);
}
