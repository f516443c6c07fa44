/** Which strategies can be used together, and on which streams. */
import type { Stream } from "../../streams/stream.ts";
import type { Strategy } from "../strategy.ts";

/** Hooks of which a run can have only one. */
const single = ["data", "learn", "forward", "taskLoss", "predict", "adapt"] as const;

/** What streams ask for, in words. */
const asking = { class: "one class", numbers: "numbers", labels: "several labels", tokens: "tokens" } as const;

/** Throws when strategies cannot be used together, or when the stream does not tell what one needs. */
export function requireCompatible(strategies: readonly Strategy[], stream: Stream): void {
  const unfit = strategies.find((s) => stream.target === "tokens" && s.hooks.tokens !== true);
  if (unfit !== undefined)
    throw new TypeError(
      `${unfit.spec.name}: a stream that asks for one class is required, got one that asks for "tokens"${typeof unfit.hooks.tokens === "string" ? ` (${unfit.hooks.tokens})` : ""}; leave the strategy out, or use one that looks at weights alone, as si()`,
    );
  const alone = strategies.find((s) => s.hooks.tokensAlone === true);
  if (alone !== undefined && stream.target !== "tokens")
    throw new TypeError(
      `${alone.spec.name}: a stream of sequences that asks for tokens is required, got one that asks for ${asking[stream.target]}; make it of a text: sequence(fromText(text), n)`,
    );
  const bound = strategies.find(({ hooks }) => hooks.classes === true);
  if (bound !== undefined && (stream.target === "numbers" || stream.target === "labels"))
    throw new TypeError(
      `${bound.spec.name}: a stream that asks for one class is required, got one that asks for ${stream.target === "numbers" ? "numbers" : "several labels"}; leave the strategy out, or use one that looks at weights alone, as si()`,
    );
  for (const { spec, needs } of strategies) {
    for (const fact of needs) {
      if (!stream.facts.includes(fact)) {
        throw new TypeError(
          `${spec.name}: a stream that tells "${fact}" is required, got one that tells ${stream.facts.join(", ") || "nothing"}`,
        );
      }
    }
  }
  const names = strategies.map((s) => s.spec.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new TypeError(`by: each strategy may be given once, got ${twice} twice`);
  for (const hook of single) {
    const having = strategies.filter((s) => s.hooks[hook] !== undefined).map((s) => s.spec.name);
    if (having.length > 1)
      throw new TypeError(
        `by: ${having.join(" and ")} cannot be combined, each replaces the same thing (${hook}); keep one`,
      );
  }
  const roles = { importance: "a penalty on weights by their importance", projection: "a projection of the gradient" };
  for (const [role, what] of Object.entries(roles)) {
    const having = strategies.filter((s) => s.hooks.role === role).map((s) => s.spec.name);
    if (having.length > 1)
      throw new TypeError(`by: ${having.join(" and ")} cannot be combined, each is ${what}; keep one`);
  }
  const [clipping, projecting] = [
    strategies.find((s) => s.hooks.clips === true),
    strategies.find((s) => s.hooks.role === "projection"),
  ];
  if (clipping !== undefined && projecting !== undefined)
    throw new TypeError(
      `by: ${clipping.spec.name} and ${projecting.spec.name} cannot be combined, a gradient that is cut no longer has the direction it was projected to; leave one out, or set no clip`,
    );
}
