/** How a program is declared. */
import type { Program } from "./cluster.ts";
import { declared } from "./parts/declared.ts";

/** A function that makes a program from options. */
export interface ProgramFactory<O extends object> {
  (options?: Partial<O>): Program;
  readonly program: string;
  readonly defaults: O;
}

/**
 * Declares a program: its name, its options with their defaults, and what its machines do. Options are plain data, or say themselves as such
 * (`toJSON`).
 *
 * @throws TypeError where an option is unknown.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const alone = simulate.program("alone", {}, () => ({ clock, trainer, course, updated, seconds }) => {
 *   const own = trainer.replica();
 *   clock.spawn(0, function* (me) {
 *     for (let k = 0; k < course.updates; k++) {
 *       const pass = course.at(k);
 *       const loss = yield* me.work(seconds(0, pass.batch.current, k), "step", () => own.step(pass));
 *       updated(me, { update: k + 1, loss, vector: () => own.vector() });
 *     }
 *   });
 *   return { end: () => own.vector(), dispose: () => own.dispose() };
 * });
 * alone().spec.name; // "alone"
 * ```
 */
export function program<O extends object>(
  name: string,
  defaults: O,
  build: (options: O) => Program["start"],
): ProgramFactory<O> {
  return declared(name, defaults, build);
}
