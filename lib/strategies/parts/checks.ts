/** What options may be. */

/** Throws unless an option is a finite number within bounds. */
export function requireNumber(
  where: string,
  what: string,
  value: number,
  least: number,
  most = Number.POSITIVE_INFINITY,
): void {
  if (!Number.isFinite(value) || value < least || value > most) {
    const bounds = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new RangeError(`${where}: ${what} must be a number ${bounds}, got ${value}`);
  }
}

/** Throws unless an option is a whole number of at least `least`. */
export function requireWhole(where: string, what: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${where}: ${what} must be a whole number of at least ${least}, got ${value}`);
}
