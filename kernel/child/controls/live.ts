import { newDisplay } from "../display.ts";
import { displaySymbol } from "../show.ts";
import type { Control } from "./control.ts";

/**
 * Shows what `draw` gives, and anew after every change of one of the controls. A drawing that takes long is not begun twice: the next
 * one begins when it is done, with the last values.
 *
 * @returns a function that ends it.
 */
export async function live(draw: () => unknown, ...controls: Control<unknown>[]): Promise<() => void> {
  const place = newDisplay();
  const first = await draw();
  await place.update(first);
  let drawing = false;
  let again = false;
  async function redraw(): Promise<void> {
    again = true;
    if (drawing) return;
    drawing = true;
    try {
      while (again) {
        again = false;
        await place.update(await draw());
      }
    } finally {
      drawing = false;
    }
  }
  const off = controls.map((control) => control.onChange(() => void redraw()));
  const end = () => {
    for (const stop of off) stop();
  };
  return Object.defineProperty(end, displaySymbol, { value: () => null });
}
