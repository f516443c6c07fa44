/** What several parts of an optimizer ask to see. */
import type { Sight } from "../optimizer.ts";

/** All that any of the parts asks for; no word of it where none asks. */
export function sightsOf(parts: readonly { readonly sees?: readonly Sight[] }[]): { readonly sees?: readonly Sight[] } {
  const sees = [...new Set(parts.flatMap((part) => part.sees ?? []))];
  return sees.length === 0 ? {} : { sees };
}
