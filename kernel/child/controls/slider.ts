import { between, type Control, type ControlOptions, control, ends } from "./control.ts";

export interface SliderOptions extends ControlOptions {
  /** Where it begins. Default: the middle, of the logarithm with `log`. */
  value?: number;
  /** Values are whole steps from `min`. Default: as fine as the slider is long; ignored with `log`. */
  step?: number;
  /** Even in the logarithm: for learning rates. Default false. */
  log?: boolean;
}

/** A number between two ends, moved by hand. */
export function slider(
  min: number,
  max: number,
  { label, value, step, log = false }: SliderOptions = {},
): Control<number> {
  ends("slider", min, max, log);
  const middle = log ? Number(Math.sqrt(min * max).toPrecision(4)) : (min + max) / 2;
  const first = step !== undefined && !log ? min + Math.round((middle - min) / step) * step : middle;
  const write = (given: number) => between("slider", given, min, max);
  return control({ kind: "slider", state: { label, min, max, step, log, value: write(value ?? first) }, write });
}
