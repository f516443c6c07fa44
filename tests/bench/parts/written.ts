/** Studies of networks that learn to write sequences, by row. */
import { adam, cosine, denoised, fromText, net, random, sequence, unrolledDenoise } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { apart, band, outcomeOf } from "./studies.ts";

const letters = "abc";
const list = [0, 1, 2];

/** Lines of three letters and the same three moved on by 1 or 2, which of them is a matter of chance. */
function lines(count: number): string {
  const rng = random(12);
  return Array.from({ length: count }, () => {
    const first = Array.from({ length: 3 }, () => rng.int(3));
    const by = 1 + rng.int(2);
    return [...first, ...first.map((t) => (t + by) % 3)].map((t) => letters[t]).join("");
  }).join("");
}

/** P205: ends of lines that are written all at once; many are right, but only together. */
async function unrolled(): Promise<Study> {
  // one letter more, so that the last line has a letter that follows it
  const data = fromText(`${lines(900)}a`, { length: 6, test: 0.1 });
  const block = { causal: false, widen: 2 } as const;
  const model = net().embedding(3, 24).transformer(2, block).transformer(2, block);
  const right = async (steps: number, updates: number): Promise<number[]> => {
    const run = await sequence(data, 1)
      .learn(model as never)
      .by(unrolledDenoise({ steps, given: 0.75 }) as never)
      .with(adam({ lr: 5e-3 }), cosine())
      .train({ batch: 32, steps: updates })
      .evaluate({ every: "end", share: 0 })
      .run({ seeds: list, quiet: true, record: false });
    const n = data.test.length;
    const rows = new Float32Array(n * 6);
    data.test.read([...Array(n).keys()], rows);
    const asked = Array.from({ length: n }, (_, i) => [...rows.subarray(6 * i, 6 * i + 6)]);
    const found: number[] = [];
    for (const seed of list) {
      const network = await run.network({ seed });
      const written = denoised(network, asked, { given: 3, rounds: 4, seed });
      const whole = written.filter((row) => {
        const by = [0, 1, 2].map((k) => (row[k + 3]! - row[k]! + 3) % 3);
        return new Set(by).size === 1 && by[0]! >= 1 && by[0]! <= 2;
      });
      found.push(whole.length / n);
      network.dispose();
    }
    return found;
  };
  const found = {
    "one pass, as many updates": await right(1, 1000),
    "one pass, as many passes": await right(1, 2000),
    "two passes": await right(2, 1000),
  };
  return {
    headline:
      "A network that learns from what it has written itself writes more lines that fit together than one that only denoises",
    outcome: outcomeOf(apart(found["two passes"], found["one pass, as many passes"])),
    figures: Object.fromEntries(
      Object.entries(found).map(([name, values]) => [`share of lines that fit, ${name}`, band(values)]),
    ),
    seeds: list.length,
  };
}

export const written: Readonly<Record<string, () => Promise<Study>>> = {
  P205: unrolled,
};
