import { strategy } from "../strategy.ts";

/**
 * Plain training on whatever arrives, with nothing done against forgetting: the lower reference.
 *
 * @example
 * ```ts
 * import { naive } from "thalweg";
 * naive();
 * ```
 */
export const naive = strategy("naive", {}, () => ({ tokens: true }));
