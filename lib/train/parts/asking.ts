/** Programs that a run asks for: whoever drives the run calls them, alone or together with those of other runs. */
import { type Compiled, flopsDone, type Spent } from "../../engine/index.ts";

/** A call of a compiled function that a run waits for. */
export interface Asked {
  readonly fn: Pick<Compiled<readonly unknown[], unknown>, "together">;
  readonly args: readonly unknown[];
}

/** Work that asks for programs on its way and ends with a result. */
export type Asking<R> = Generator<Asked, R, Spent<unknown>>;

/** Asks for a call of a compiled function. */
export function* ask<A extends readonly unknown[], R>(fn: Compiled<A, R>, ...args: A): Asking<R> {
  const { value } = yield { fn: fn as unknown as Asked["fn"], args };
  return value as R;
}

/** Does the work with every call for itself. */
export function alone<R>(work: Asking<R>): R {
  let next = work.next();
  while (!next.done) next = work.next(next.value.fn.together([next.value.args])[0]!);
  return next.value;
}

/** The same work; `shift` is told of arithmetic that was done meanwhile for others, so that it is not counted as the work's own. */
export function* metered<R>(work: Asking<R>, shift: (flops: number) => void): Asking<R> {
  let next = work.next();
  while (!next.done) {
    const before = flopsDone();
    const answer = yield next.value;
    shift(flopsDone() - before - answer.flops);
    next = work.next(answer);
  }
  return next.value;
}
