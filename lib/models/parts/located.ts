/** Errors that say in which layer of which they came up. */

interface Located extends Error {
  readonly places?: readonly string[];
  readonly bare?: string;
}

/** The same error with one more place before those it says: "net, layer 3 (residual), layer 2: dense: …". */
export function located(place: string, error: Located): RangeError {
  const places = [place, ...(error.places ?? [])];
  const bare = error.bare ?? error.message;
  return Object.assign(new RangeError(`${places.join(", ")}: ${bare}`), { places, bare });
}
