import { between, type Control, type ControlOptions, control, ends } from "./control.ts";

export interface RangeOptions extends ControlOptions {
  /** Where it begins. Default: both ends. */
  value?: readonly [number, number];
  step?: number;
  /** Even in the logarithm. Default false. */
  log?: boolean;
}

/** A stretch between two ends: the value is its beginning and its end. */
export function range(
  min: number,
  max: number,
  { label, value = [min, max], step, log = false }: RangeOptions = {},
): Control<readonly [number, number]> {
  ends("range", min, max, log);
  const write = (given: readonly [number, number]) => {
    const [from, to] = [between("range", given[0], min, max), between("range", given[1], min, max)];
    if (from > to) throw new RangeError(`range: the smaller number first is required, got ${from} and ${to}`);
    return [from, to];
  };
  return control({ kind: "range", state: { label, min, max, step, log, value: write(value) }, write });
}
