/** Which strategies serve streams of tokens, as a part of the catalogue: they say so themselves. */
import * as strategies from "../../lib/strategies/index.ts";
import type { StrategyFactory } from "../../lib/strategies/strategy.ts";

/** Which strategies serve streams of tokens, and why the others do not. */
export function tokensTable(): string {
  const made = Object.values(strategies as unknown as Record<string, unknown>)
    .filter((make): make is StrategyFactory<never, never> => typeof make === "function" && "strategy" in make)
    .map((make) => make())
    .sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
  const serving = made.filter(({ hooks }) => hooks.tokens === true).map(({ spec }) => `\`${spec.name}\``);
  const others = made.filter(({ hooks }) => hooks.tokens !== true);
  const rows = others.map(({ spec, hooks }) => `| \`${spec.name}\` | ${hooks.tokens || "nobody has said"} |`);
  return `## Streams of tokens\n\nWith a class at each place of a sequence ${serving.length} strategies can be used as they are: ${serving.join(", ")}.\n\n| not with its defaults | because |\n|---|---|\n${rows.join("\n")}\n`;
}
