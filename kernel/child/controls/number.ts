import { between, type Control, type ControlOptions, control } from "./control.ts";

export interface NumberOptions extends ControlOptions {
  min?: number;
  max?: number;
  /** Values are whole steps. Default: any. */
  step?: number;
}

/** A number to type. */
export function number(value = 0, { label, min, max, step }: NumberOptions = {}): Control<number> {
  const [low, high] = [min ?? Number.NEGATIVE_INFINITY, max ?? Number.POSITIVE_INFINITY];
  const write = (given: number) => between("number", given, low, high);
  return control({ kind: "number", state: { label, min, max, step, value: write(value) }, write });
}
