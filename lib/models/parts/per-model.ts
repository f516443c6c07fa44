/** What is found of a model is kept for as long as the model is. */

/** A function of a network that looks at its model and input alone, asked once for each model. */
export function perModel<N extends { readonly model: object }, T>(find: (network: N) => T): (network: N) => T {
  const known = new WeakMap<object, { readonly found: T }>();
  return (network) => {
    const before = known.get(network.model) ?? { found: find(network) };
    known.set(network.model, before);
    return before.found;
  };
}
