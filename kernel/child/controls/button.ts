import { type Control, control } from "./control.ts";

/** A button; its value is how often it was pressed. */
export function button(label: string, press?: () => unknown): Control<number> {
  const made = control<number>({ kind: "button", state: { label, value: 0 }, write: Number });
  if (press) made.onChange(() => void press());
  return made;
}
