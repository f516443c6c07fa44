/**
 * Node keeps its immediates in a list that an interrupted callback leaves in pieces: from then on every turn of the loop throws.
 * So an immediate does its work right after itself, as a tick, before the next immediate: ticks survive being interrupted.
 */
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers";

export function installImmediates(): void {
  const original = timers.setImmediate;
  const setImmediate = (callback: (...args: unknown[]) => void, ...args: unknown[]) =>
    // What is no function is for Node to refuse.
    typeof callback === "function"
      ? original(() => process.nextTick(callback, ...args))
      : original(callback as () => void);
  timers.setImmediate = globalThis.setImmediate = Object.defineProperties(
    setImmediate,
    Object.getOwnPropertyDescriptors(original),
  ) as typeof original;
  syncBuiltinESMExports();
}
