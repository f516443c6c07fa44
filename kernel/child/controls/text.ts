import { type Control, type ControlOptions, control } from "./control.ts";

export interface TextOptions extends ControlOptions {
  /** Shown while it is empty. */
  placeholder?: string;
  /** Lines. Default 1. */
  rows?: number;
}

/** A line of text to type, or several. */
export function text(value = "", { label, placeholder, rows = 1 }: TextOptions = {}): Control<string> {
  return control({ kind: "text", state: { label, placeholder, rows, value: String(value) }, write: String });
}
