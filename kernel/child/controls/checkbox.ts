import { type Control, control } from "./control.ts";

/** A box to tick. */
export function checkbox(label = "", { value = false }: { value?: boolean } = {}): Control<boolean> {
  return control<boolean>({ kind: "checkbox", state: { label, value: Boolean(value) }, write: Boolean });
}
