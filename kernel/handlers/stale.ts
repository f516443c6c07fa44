/** `stale_request`: a frontend tells its notebook, and hears which cells are stale; asked to, also which cells to run, in order. */
import { namesOf } from "../cell/names.ts";
import type { Context, Handler } from "../context.ts";
import { apply, type DocumentCell, type Effect, empty, type Operation, type State } from "../stale/state.ts";

/** What of a session is known: kept small, and only judged when somebody asks. */
export function tracker() {
  let state: State = empty;
  let ran: Operation[] = [];
  /** Whether a frontend tells its notebook; otherwise the order of the cells is that of their first runs. */
  let told = false;
  const seen = new Set<string>();
  const take = (operation: Operation): Effect[] => {
    let effects: Effect[];
    [state, effects] = apply(state, operation, namesOf);
    return effects;
  };
  const drain = () => {
    const all = ran;
    ran = [];
    return all.flatMap(take);
  };
  return {
    ran(cell: string, source: string, run: number): void {
      ran.push({ op: "ran", cell, source, run });
      if (ran.length > 200) drain();
    },
    /** A fresh process: nothing of before is bound. */
    restarted(): void {
      ran.push({ op: "restarted" });
    },
    document(cells: DocumentCell[]): void {
      told = true;
      drain();
      take({ op: "document", cells });
    },
    stale: () => Object.fromEntries(state.stale),
    ask: (training: boolean) => take({ op: "asked", training }),
    /** What to tell a person whose frontend knows nothing of this, when a cell ran again. */
    news(cell: string): string | undefined {
      const again = seen.has(cell);
      seen.add(cell);
      if (told || !again) return undefined;
      // With nothing more said of it, a cell is what it was when it ran.
      const marked = ran.splice(0).flatMap((operation) => {
        const latest = (one: DocumentCell) =>
          operation.op === "ran" && one.id === operation.cell ? { ...one, source: operation.source } : one;
        return [...take({ op: "document", cells: state.cells.map(latest) }), ...take(operation)];
      });
      const cells = new Set(marked.flatMap((effect) => (effect.do === "mark" ? [effect.cell] : [])));
      const now = [...cells].filter((id) => id !== cell && state.stale.has(id));
      if (now.length === 0) return undefined;
      return `Stale now: ${now.map((id) => `[${state.runs.get(id)?.run}]`).join(", ")} (${state.stale.get(now[0]!)}).`;
    },
  };
}
export type Tracker = ReturnType<typeof tracker>;

export const stale: Handler = ({ stale: known }: Context, { content }) => {
  const cells = Array.isArray(content.cells) ? (content.cells as Record<string, unknown>[]) : [];
  known.document(
    cells.map(({ id, source, training }) => ({
      id: String(id),
      source: String(source),
      ...(training === true ? { training } : {}),
    })),
  );
  const reply = { status: "ok", stale: known.stale() };
  if (content.ask !== "stale" && content.ask !== "all") return reply;
  const effects = known.ask(content.ask === "all");
  const run = effects.flatMap((effect) => (effect.do === "run" ? effect.cells : []));
  const told = effects.flatMap((effect) => (effect.do === "tell" ? [effect.text] : []));
  return { ...reply, run, told };
};
