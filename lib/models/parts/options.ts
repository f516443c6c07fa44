/** What several layers can be told. */

/** The error function itself, or its approximation by a hyperbolic tangent. */
export type GeluForm = "tanh" | "exact";

/** Throws unless it is a form of the Gaussian error linear unit. */
export function requireGelu(where: string, form: GeluForm): void {
  if (form !== "tanh" && form !== "exact")
    throw new RangeError(`${where}: gelu "tanh" or "exact" is required, got ${JSON.stringify(form)}`);
}
