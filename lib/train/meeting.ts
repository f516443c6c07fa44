/** Runs that go side by side: each waits until all have come to a program, and those that are alike are run as one. */
import type { Spent } from "../engine/index.ts";
import type { Asked } from "./parts/asking.ts";
import { type Programs, programsOf } from "./parts/programs.ts";
import type { RunSpec } from "./spec.ts";
import type { Cursor } from "./state.ts";

/** Where runs meet. */
export interface Meeting {
  /** A run takes part from here on. */
  join(): void;
  /** It does not any more: the others no longer wait for it. */
  leave(): void;
  /** Resolves when the program was run, together with those of other runs where they have come as far. */
  ask(asked: Asked, at: Cursor): Promise<Spent<unknown>>;
  /** The programs of an experiment, one for all its runs. */
  programs(given: RunSpec): (spec: RunSpec) => Programs;
}

interface Waiting {
  readonly asked: Asked;
  readonly at: readonly number[];
  readonly resolve: (answer: Spent<unknown>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes a place where runs meet. When all that take part wait, the programs of those that are least far are run, as one where they are
 * alike; so runs whose experiences differ in length come together again at the next.
 */
export function meeting(): Meeting {
  const made = new Map<RunSpec, Programs>();
  let seats = 0;
  let waiting: Waiting[] = [];
  let due = false;

  function look(): void {
    if (due || waiting.length < seats || waiting.length === 0) return;
    due = true;
    // Runs that are about to join, messages and timers get a turn first.
    setImmediate(() => {
      due = false;
      if (waiting.length >= seats && waiting.length > 0) round();
    });
  }

  function round(): void {
    const least = waiting.reduce((a, b) => (isBefore(b.at, a.at) ? b : a));
    const isNow = ({ at, asked }: Waiting): boolean => asked.fn === least.asked.fn && !isBefore(least.at, at);
    const now = waiting.filter(isNow);
    waiting = waiting.filter((one) => !isNow(one));
    try {
      const answers = least.asked.fn.together(now.map(({ asked }) => asked.args));
      for (const [i, { resolve }] of now.entries()) resolve(answers[i]!);
    } catch (error) {
      for (const { reject } of now) reject(error);
    }
  }

  return {
    join() {
      seats++;
    },
    leave() {
      seats--;
      look();
    },
    ask: (asked, at) =>
      new Promise((resolve, reject) => {
        waiting.push({ asked, at: progressOf(at), resolve, reject });
        look();
      }),
    programs: (given) => (spec) => {
      const own = made.get(given) ?? programsOf(spec);
      made.set(given, own);
      return own;
    },
  };
}

/** How far a run is, for comparison with others of its experiment. */
function progressOf({ phase, experience, local, at, pending }: Cursor): readonly number[] {
  const within = phase === "evaluate" ? { start: 0, step: 1, experience: 3 }[at] : 2;
  // Before an experience at its start, within it by its steps, each after the evaluation that is due there; after it at its end.
  const rank = within === 0 ? -1 : within === 3 ? 1 : 0;
  return [experience, rank, rank === 0 ? local : 0, within, -pending.length];
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((x, i) => x !== b[i]);
  return at >= 0 && a[at]! < b[at]!;
}
