/** Whether somebody wants what is running to stop. */

/** Whether a signal, or the notebook around the program, asks to stop. */
export function stopAsked(signal?: AbortSignal): boolean {
  const notebook = (globalThis as { [key: symbol]: unknown })[Symbol.for("Jupyter.interrupt")] as
    | { requested(): boolean }
    | undefined;
  return signal?.aborted === true || notebook?.requested() === true;
}
