/**
 * The small benchmark of the transformer that comes with the library (`PTM/split-mnist`), and studies of rows of the systems catalogue on it:
 * `npm run bench -- pretrained.studies`. Ten minutes on two busy processors.
 *
 * Each seed has an order of the classes of its own. What does not hold here is recorded as such.
 */
import {
  adam,
  color,
  conform,
  from,
  keyValueBottleneck,
  l2p,
  mnist,
  type PublishedCell,
  pretrained,
  replay,
  rotated,
  sgd,
} from "../../lib/index.ts";
import { limit } from "../../lib/streams/operators/limit.ts";
import { smallPretrained } from "../../lib/sweeps/protocols/pretrained.ts";
import { record } from "../support/reference.ts";
import { accuracies, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 3;
const data = await mnist();
const also: readonly PublishedCell[] = [
  { name: "replay-50", strategies: [replay({ capacity: 50 })], published: {} },
  {
    name: "key-value-bottleneck",
    strategies: [keyValueBottleneck({ codebooks: 64, pairs: 64, size: 6 })],
    optimizer: sgd({ lr: 10 }),
    published: {},
  },
];
const protocol = { ...smallPretrained, cells: [...smallPretrained.cells, ...also] };
const found: Record<string, readonly number[]> = {};
for (const { name } of protocol.cells) {
  found[name] = (await conform(protocol, "b0inc2", name, data, { seeds })).values;
  console.log(name.padEnd(22), found[name].map((value) => value.toFixed(1)).join("  "));
}
record("PTM/split-mnist", {
  unit: "percent of 10 classes right at the end, 20 images of each to learn",
  scenario: "b0inc2",
  seeds,
  figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
});

/** Whether a method is above another, as the study of a row. */
function above(id: string, headline: string, a: string, b: string, bound = 0): void {
  const by = apart(found[a]!, found[b]!);
  const figures = { [`${a} (%)`]: band(found[a]!), [`${b} (%)`]: band(found[b]!), "difference (points)": band(by) };
  study(id, { headline, outcome: outcomeOf(by, bound), figures, seeds });
}
above("P206", "Prompts chosen from a pool are as good as rehearsal with a buffer, without one", "l2p", "replay-50");
above("P124", "Shared and own prefixes beat methods with a buffer, without one", "dual-prompt", "replay-50");
above(
  "P151",
  "Adapters for each experience are no worse than the frozen features alone, by more than 3 points",
  "ease",
  "simple-cil",
  -3,
);
above("P004", "A slow backbone with an aligned classifier beats one rate for all", "slca", "slca-one-rate");
above("P050", "Values that are looked up forget less than training all of it", "key-value-bottleneck", "naive");

const domains = limit({ train: 20, test: 20, perClass: true })(
  rotated(data, [0, 90, 180]) as never,
) as unknown as ReturnType<typeof rotated>;
const learnt = (strategy: ReturnType<typeof color> | ReturnType<typeof l2p>) =>
  accuracies(
    domains
      .learn(from(pretrained("vit-small")))
      .by(strategy)
      .with(adam({ lr: 3e-3 }))
      .train({ batch: 10, epochs: 3 })
      .evaluate({ atStart: false, share: 0 }) as never,
    seeds,
  );
const [own, prompted] = [await learnt(color({ rank: 4 })), await learnt(l2p({ read: "rest" }))].map((values) =>
  values.map((value) => 100 * value),
);
study("P116", {
  headline: "On a stream of domains a low-rank change for each, chosen by clusters of features, beats prompts",
  outcome: outcomeOf(apart(own!, prompted!)),
  figures: { "color (%)": band(own!), "l2p (%)": band(prompted!), "difference (points)": band(apart(own!, prompted!)) },
  seeds,
});
