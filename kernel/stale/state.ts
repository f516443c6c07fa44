/**
 * Which cells show what the notebook no longer says, as one pure function: what happened goes in, the new state and what is to be done
 * come out. The order of the notebook is the truth: a name means what the nearest cell above defines.
 *
 * Does not know: what is changed inside an object (`list.push(1)`), what a cell reads from files or the clock, what types say.
 */
import type { Names } from "../cell/names.ts";

export interface DocumentCell {
  id: string;
  source: string;
  /** Trains, also if its text does not show it. */
  training?: boolean;
}

/** The last run of a cell. */
export interface Run {
  source: string;
  /** Counts up over all cells. */
  run: number;
  /** The run that each name it uses came from. */
  from: Readonly<Record<string, number>>;
}

export interface State {
  readonly cells: readonly DocumentCell[];
  readonly runs: ReadonlyMap<string, Run>;
  /** Which run gave each name its value, and which cell that was. */
  readonly bound: ReadonlyMap<string, { cell: string; run: number }>;
  /** Why cells are stale. */
  readonly stale: ReadonlyMap<string, string>;
}

export type Operation =
  | { op: "document"; cells: readonly DocumentCell[] }
  | { op: "ran"; cell: string; source: string; run: number }
  | { op: "restarted" }
  | { op: "asked"; training?: boolean };

export type Effect =
  | { do: "mark"; cell: string; why: string }
  | { do: "unmark"; cell: string }
  | { do: "run"; cells: string[] }
  | { do: "tell"; text: string };

export const empty: State = { cells: [], runs: new Map(), bound: new Map(), stale: new Map() };

/** @param namesOf what a text defines and uses; the same for the same text. */
export function apply(state: State, operation: Operation, namesOf: (source: string) => Names): [State, Effect[]] {
  switch (operation.op) {
    case "document":
      return judged({ ...state, cells: operation.cells }, state, namesOf);
    case "ran":
      return judged(ran(state, operation, namesOf), state, namesOf);
    case "restarted":
      return judged({ ...empty, cells: state.cells }, state, namesOf);
    case "asked":
      return [state, planned(state, operation.training === true, namesOf)];
  }
}

const gives = ({ defines, changes }: Names) => [...defines, ...changes];

function ran(
  state: State,
  { cell, source, run }: Operation & { op: "ran" },
  namesOf: (source: string) => Names,
): State {
  const names = namesOf(source);
  const from: Record<string, number> = {};
  for (const name of names.uses) {
    const before = state.bound.get(name);
    if (before) from[name] = before.run;
  }
  const bound = new Map(state.bound);
  for (const name of gives(names)) bound.set(name, { cell, run });
  // A frontend that tells nothing of its notebook: the cells are in the order in which they first ran.
  const known = state.cells.some(({ id }) => id === cell);
  const cells = known ? state.cells : [...state.cells, { id: cell, source }];
  return { ...state, cells, bound, runs: new Map(state.runs).set(cell, { source, run, from }) };
}

/** The place of the cell whose definition of `name` the cell at `at` means: the nearest above, or else the first below. */
function giver(state: State, at: number, name: string, namesOf: (source: string) => Names): number | undefined {
  const has = (i: number) => gives(namesOf(state.cells[i]!.source)).includes(name);
  for (let i = at - 1; i >= 0; i--) if (has(i)) return i;
  for (let i = at + 1; i < state.cells.length; i++) if (has(i)) return i;
  return undefined;
}

function judged(next: State, before: State, namesOf: (source: string) => Names): [State, Effect[]] {
  const stale = new Map<string, string>();
  for (const i of next.cells.keys()) {
    const why = reason(next, i, stale, namesOf);
    if (why !== undefined) stale.set(next.cells[i]!.id, why);
  }
  const effects: Effect[] = [];
  for (const [cell, why] of stale) if (before.stale.get(cell) !== why) effects.push({ do: "mark", cell, why });
  for (const cell of before.stale.keys()) if (!stale.has(cell)) effects.push({ do: "unmark", cell });
  return [{ ...next, stale }, effects];
}

function reason(
  state: State,
  at: number,
  stale: ReadonlyMap<string, string>,
  namesOf: (source: string) => Names,
): string | undefined {
  const { id, source } = state.cells[at]!;
  const last = state.runs.get(id);
  if (!last) return undefined;
  if (last.source.trim() !== source.trim()) return "it was edited after it ran";
  for (const name of namesOf(source).uses) {
    const from = last.from[name];
    const place = giver(state, at, name, namesOf);
    if (place === undefined) {
      if (from !== undefined) return `${name} came from a cell that is not there any more`;
      continue;
    }
    const other = state.cells[place]!.id;
    const run = state.runs.get(other)?.run;
    if (from === undefined && place > at) continue;
    if (run === undefined) return `${name} is defined in a cell that has not run`;
    if (from !== run)
      return from !== undefined && run > last.run
        ? `${name} was defined anew after it ran`
        : `when it ran, ${name} was not what the cell above makes it`;
    if (stale.has(other)) return `${name} comes from a cell that is stale`;
  }
  return undefined;
}

/** The stale cells in order, and those that must run before them so that names are what the notebook says; training only when asked for. */
function planned(state: State, training: boolean, namesOf: (source: string) => Names): Effect[] {
  const { cells } = state;
  const plan = new Set([...cells.keys()].filter((i) => state.stale.has(cells[i]!.id)));
  const givers = cells.map(({ source }, i) =>
    namesOf(source).uses.flatMap((name) => {
      const place = giver(state, i, name, namesOf);
      return place !== undefined && place < i ? [{ name, place }] : [];
    }),
  );
  for (let grew = true; grew; ) {
    grew = false;
    const bound = new Map([...state.bound].map(([name, { cell }]) => [name, cell]));
    for (const [i, cell] of cells.entries()) {
      if (!plan.has(i)) continue;
      for (const { name, place } of givers[i]!) {
        if (bound.get(name) === cells[place]!.id || plan.has(place)) continue;
        plan.add(place);
        grew = true;
      }
      for (const name of gives(namesOf(cell.source))) bound.set(name, cell.id);
    }
  }
  const held = new Set<number>();
  for (const [i, { source, training: marked }] of cells.entries()) {
    if (!plan.has(i)) continue;
    const trains = (marked === true || namesOf(source).trains) && !training;
    if (trains || givers[i]!.some(({ place }) => held.has(place))) held.add(i);
  }
  const order = [...cells.keys()].filter((i) => plan.has(i) && !held.has(i)).map((i) => cells[i]!.id);
  const effects: Effect[] = order.length > 0 ? [{ do: "run", cells: order }] : [];
  if (held.size > 0)
    effects.push({
      do: "tell",
      text: `${held.size === 1 ? "A cell" : `${held.size} cells`} that trains, or waits for one that does, was left: run it by hand, or all with "Run stale cells, training too".`,
    });
  return effects;
}
