/**
 * The small benchmark of the transformer that comes with the library (`PTM/split-mnist`), and studies of rows of the systems catalogue on it:
 * `npm run bench -- pretrained.studies`, or a part of it: rows by their ids, the scenario `base4inc2`, or the data `fashion-mnist`, whose pictures the
 * transformer was trained on, and `fractals`, which are new ones. A quarter of an hour on two busy processors, and as much for each other data.
 *
 * Each seed has an order of the classes of its own. What does not hold here is recorded as such.
 */
import {
  adam,
  classes,
  codaPrompt,
  color,
  conform,
  type Dataset,
  digits,
  dualPrompt,
  ewc,
  fashionMnist,
  foster,
  fractals,
  from,
  icarl,
  type Kind,
  keyValueBottleneck,
  l2Anchor,
  l2p,
  lfl,
  lnTuning,
  lwf,
  mlp,
  mnist,
  type PublishedCell,
  pretrained,
  replay,
  rotated,
  type Strategy,
  sgd,
  slca,
} from "../../lib/index.ts";
import { smallPretrained } from "../../lib/sweeps/protocols/pretrained.ts";
import { record } from "../support/reference.ts";
import { accuracies, allOf, apart, band, bestRate, outcomeOf, study } from "./parts/studies.ts";

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
/** Rows that are named; all where none is. */
const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const base = process.argv.includes("base4inc2");
/** Other data for the table, by name. */
const others = {
  "fashion-mnist": () => fashionMnist(),
  fractals: async () => fractals({ testPerClass: 20, sizePixels: 28, seed: 1 }),
};
const other = Object.keys(others).filter((name) => process.argv.includes(name)) as (keyof typeof others)[];
const asked = (...ids: readonly string[]): boolean =>
  wanted.length === 0 ? !base && other.length === 0 : ids.some((id) => wanted.includes(id));

if (asked("P206", "P124", "P151", "P004", "P050")) decided(await benchmark("b0inc2", "PTM/split-mnist"));
if (base || process.argv.length < 3) await benchmark("base4inc2", "PTM/split-mnist/base4inc2");
for (const name of other) await benchmark("b0inc2", `PTM/split-${name}`, await others[name]());
if (asked("P222")) await normalisations();
if (asked("P116")) await domains();
if (asked("P052")) await closerLook();
if (asked("P200")) await boosting();

/** The table of the benchmark in one of its scenarios, seed by seed. */
async function benchmark(
  scenario: string,
  as: string,
  on: Dataset<Kind> = data,
): Promise<Record<string, readonly number[]>> {
  const found: Record<string, readonly number[]> = {};
  for (const { name } of protocol.cells) {
    found[name] = (await conform(protocol, scenario, name, on, { seeds })).values;
    console.log(name.padEnd(22), found[name].map((value) => value.toFixed(1)).join("  "));
  }
  record(as, {
    unit: "percent of 10 classes right at the end, 20 images of each to learn",
    scenario,
    seeds,
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
  });
  return found;
}

/** The rows that the table decides. */
function decided(found: Readonly<Record<string, readonly number[]>>): void {
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
}

/** P222: normalisations for each task, and prompts, with as many steps. */
async function normalisations(): Promise<void> {
  const stream = classes(data, { order: "run" }).limit({ train: 20, test: 20, perClass: true }).split(5);
  const ways: Record<string, Strategy> = {
    lnTuning: lnTuning(),
    l2p: l2p({ read: "rest" }) as never,
    "dual-prompt": dualPrompt({ general: [0], expert: [1, 2, 3] }) as never,
    "coda-prompt": codaPrompt({ components: 5 }) as never,
  };
  const found: Record<string, number[]> = {};
  const used: Record<string, number> = {};
  for (const [name, way] of Object.entries(ways)) {
    const at = (lr: number) =>
      stream
        .learn(from(pretrained("vit-small")))
        .by(way as never)
        .with(adam({ lr }))
        .train({ batch: 10, epochs: 8 })
        .evaluate({ atStart: false, share: 0 });
    const best = at(await bestRate([3e-3, 1.2e-2], at));
    const { user } = process.cpuUsage();
    found[name] = (await accuracies(best as never, seeds)).map((value) => 100 * value);
    used[name] = Number(((process.cpuUsage().user - user) / seeds / 1e6).toPrecision(3));
    console.log(name.padEnd(22), found[name].map((value) => value.toFixed(1)).join("  "), used[name]);
  }
  const { lnTuning: own, ...others } = found;
  const slower = Object.keys(others).filter((name) => used[name]! <= used.lnTuning!);
  study("P222", {
    headline:
      "Normalisations of each task's own are no worse than prompts by more than 3 points, in less processor time",
    outcome: allOf(
      slower.length === 0 ? "holds" : "does not hold here",
      ...Object.values(others).map((other) => outcomeOf(apart(own!, other), -3)),
    ),
    figures: {
      ...Object.fromEntries(Object.entries(found).map(([name, values]) => [`${name} (%)`, band(values)])),
      ...Object.fromEntries(Object.entries(used).map(([name, value]) => [`seconds of processor time, ${name}`, value])),
    },
    seeds,
  });
}

/** CoLoR and prompts on digits that are turned. */
async function domains(): Promise<void> {
  const turned = rotated(data, [0, 90, 180]).limit({ train: 20, test: 20, perClass: true });
  const learnt = (strategy: ReturnType<typeof color> | ReturnType<typeof l2p>) =>
    accuracies(
      turned
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
    figures: {
      "color (%)": band(own!),
      "l2p (%)": band(prompted!),
      "difference (points)": band(apart(own!, prompted!)),
    },
    seeds,
  });
}

/** The four penalties of the closer look, from the trained transformer. */
async function closerLook(): Promise<void> {
  const attention = ["*query", "*key", "*value", "*out"];
  const methods = {
    "L2 on attention": l2Anchor({ lambda: 1, on: attention }),
    "elastic weights": ewc({ lambda: 100, samples: 60 }),
    "distilled features": lfl(),
    "distilled predictions": lwf(),
  };
  const figures: Record<string, readonly number[]> = {};
  for (const [name, strategy] of Object.entries(methods)) {
    // as in the paper, the classes of an experience compete alone while it is learnt
    const local = slca({ slow: 1, rounds: 0 });
    const optimizer = adam({ lr: 5e-4 });
    const cell = { name, strategies: [local, strategy], optimizer, published: {} };
    const { values } = await conform({ ...smallPretrained, cells: [cell] }, "b0inc2", name, data, { seeds });
    figures[name] = values;
    console.log(name.padEnd(22), values.map((value) => value.toFixed(1)).join("  "));
  }
  const own = figures["L2 on attention"]!;
  const against = ["elastic weights", "distilled features"].map((name) => apart(own, figures[name]!));
  study("P052", {
    headline:
      "From a trained transformer, a plain pull of the attention's weights beats Fisher's information and distilled features",
    outcome: allOf(...against.map((values) => outcomeOf(values))),
    figures: Object.fromEntries(Object.entries(figures).map(([name, values]) => [`${name} (%)`, band(values)])),
    seeds,
  });
}

/** FOSTER and iCaRL with as many exemplars, on digits two at a time. */
async function boosting(): Promise<void> {
  const many = 5;
  const learnt = async (strategy: ReturnType<typeof foster>): Promise<number[]> => {
    const study = classes(digits(), { order: "run" })
      .split(5)
      .learn(mlp({ hidden: [64] }))
      .by(strategy)
      .with(adam({ lr: 5e-3 }))
      .train({ batch: 16, epochs: 20 })
      .evaluate({ atStart: false, share: 0 });
    return (await accuracies(study as never, many)).map((value) => 100 * value);
  };
  const [own, other] = [await learnt(foster({ capacity: 100 })), await learnt(icarl({ capacity: 100 }) as never)];
  study("P200", {
    headline:
      "Boosting by a module and compressing beats methods with exemplars at the size of one network: here iCaRL",
    outcome: outcomeOf(apart(own, other)),
    figures: { "foster (%)": band(own), "icarl (%)": band(other), "difference (points)": band(apart(own, other)) },
    seeds: many,
  });
}
