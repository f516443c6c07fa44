/** What a router says before all layers of experts. */

/** Where the logits of the experts are remembered, `[n, length, experts]`. */
export const preGateName = "preGate";
