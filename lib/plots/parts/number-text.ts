/** Numbers as ticks and labels say them: the part of d3's formats that our figures use. */

/**
 * Writes a number by a d3 format: `.0%`, `.2f`, `.2e`, `,d`, `~s`; without one, as short as it can be read.
 *
 * The minus is a true one, as plotly writes it.
 */
export function numberText(value: number, format?: string): string {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞");
  return written(value, format).replace("-", "−");
}

function written(value: number, format = ""): string {
  const fixed = /^\.(\d+)([%fe])$/.exec(format);
  if (fixed !== null) {
    const digits = Number(fixed[1]);
    if (fixed[2] === "%") return `${noMinusZero(value * 100, digits)}%`;
    return fixed[2] === "f" ? noMinusZero(value, digits) : value.toExponential(digits);
  }
  const size = Math.abs(value);
  if (format === ",d") return grouped(Math.round(value));
  if (format === "~s" || size >= 10_000) return shortened(value);
  if (size > 0 && size < 1e-3) return value.toExponential(1).replace(".0e", "e");
  return String(Number(value.toPrecision(6)));
}

function noMinusZero(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text;
}

function shortened(value: number): string {
  const size = Math.abs(value);
  const [unit, letter] = size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : size >= 1e3 ? [1e3, "k"] : [1, ""];
  return `${Number((value / unit).toPrecision(4))}${letter}`;
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
