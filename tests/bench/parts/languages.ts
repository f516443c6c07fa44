/** Texts in several languages, one after the other: the messages of TypeScript's compiler, whose marks on letters are left out. */
import { readFileSync } from "node:fs";
import { adam, fromText, gpt, type Model, type Strategy, sequence, type TrainedNetwork } from "../../../lib/index.ts";

const file = (name: string): string =>
  readFileSync(new URL(`../../../node_modules/typescript/lib/${name}`, import.meta.url), "utf8");
const plain = (text: string): string =>
  text
    .normalize("NFD")
    .replaceAll(/[^\x20-\x7e\n]/g, "")
    .toLowerCase();
const messages = (language: string): string =>
  plain(Object.values(JSON.parse(file(`${language}/diagnosticMessages.generated.json`)) as object).join("\n"));
/** Characters of each to learn from, and to test on. */
const [trained, tested] = [16_000, 3_200];

/** English comments, then Spanish, Czech and German messages, an experience each. */
export function languages() {
  const texts = [plain(file("lib.es5.d.ts")), ...["es", "cs", "de"].map(messages)];
  const some = [
    ...texts.map((text) => text.slice(0, trained)),
    ...texts.map((text) => text.slice(trained, trained + tested)),
  ];
  const data = fromText(some.join(""), { length: 32, test: tested / (trained + tested), name: "languages" });
  return sequence(data, texts.length);
}

/** A small language model that has read English. */
export async function reader(seed: number): Promise<TrainedNetwork> {
  const run = await languages()
    .slice(0, 1)
    .learn(gpt({ tokens: languages().classes.length, context: 32, width: 48, depth: 4, heads: 4 }) as Model as never)
    .with(adam({ lr: 3e-3 }))
    .train({ batch: 16, epochs: 8 })
    .evaluate({ atStart: false, share: 0 })
    .run({ seeds: [seed], quiet: true, record: false } as never);
  return run.network({ seed } as never);
}

/** Accuracies of the next character in each of the other languages after each of them, learnt from a model that has read English. */
export async function after(
  model: Model,
  strategies: readonly Strategy[],
  lr: number,
  seed: number,
): Promise<readonly (readonly number[])[]> {
  const run = await languages()
    .slice(1, 4)
    .learn(model as never)
    .by(...(strategies as never[]))
    .with(adam({ lr }))
    .train({ batch: 16, epochs: 3 })
    .evaluate({ atStart: false })
    .run({ seeds: [seed], quiet: true, record: false } as never);
  return run.matrix({ seed } as never).values;
}
