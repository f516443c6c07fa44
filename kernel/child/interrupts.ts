/** What library code can know of interrupts, and tell: the value of `globalThis[Symbol.for("Jupyter.interrupt")]`. */
import { clock, shared } from "./control.ts";

export function interrupts(cells: Int32Array) {
  return {
    /** Whether the running cell was asked to stop. Library loops ask at every step; who asks gets a moment to stop by itself. */
    requested(): boolean {
      const [now, last] = [clock(), Atomics.load(cells, shared.polled)];
      Atomics.store(cells, shared.step, last === 0 ? 0 : (now - last) & 0x3fffffff);
      Atomics.store(cells, shared.polled, now);
      return Atomics.load(cells, shared.stop) !== 0;
    },
    /**
     * Calls `work`, and keeps interrupts from it. Node-API aborts the process when a call into JavaScript, such as the constructor
     * of a result, is stopped inside native code: what calls native code that does that should do so through this.
     */
    native<T>(work: () => T): T {
      // One inside another is part of it.
      if (Atomics.load(cells, shared.native) === 1) return work();
      Atomics.store(cells, shared.native, 1);
      while (Atomics.load(cells, shared.ending) === 1) {
        // A loop is being stopped, and it is the one we are in: here is the place, in JavaScript.
        Atomics.store(cells, shared.native, 0);
        while (Atomics.load(cells, shared.ending) === 1);
        Atomics.store(cells, shared.native, 1);
      }
      try {
        return work();
      } finally {
        Atomics.store(cells, shared.native, 0);
      }
    },
  };
}
