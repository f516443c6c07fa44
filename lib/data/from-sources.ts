/** Texts of several sources, each told by its name. */
import { type Dataset, type Examples, makeDataset, table } from "./dataset.ts";
import { needShare, needWhole, withDefaults } from "./options.ts";

/** What `fromSources` can be told. */
export interface FromSourcesOptions {
  /** Tokens in an example, those of the name included; default 64. */
  readonly length?: number;
  /** The share at the end of each text that is set aside to test; default 0.1. */
  readonly test?: number;
  /** The share of the training examples, the last ones, that are without names; default 0.1. With 1 no example has one. */
  readonly cooldown?: number;
  readonly name?: string;
}

/**
 * Texts of several sources as one data set of characters, in which an example begins with the name of its source, and nothing is asked for there: what a
 * network reads it need not predict. The last examples come without names, so that the network also knows what to do where no source is told.
 *
 * An example is `length` characters: the name, a new line and the text that follows, or text alone. Sources take turns, as long as each has text left, and
 * examples keep that order: `sequence(data, 10)` trains on them part by part, with a cooldown of 0.1 as the tenth. Tests are without names.
 *
 * Implements: P337 MeCo metadata conditioning
 * Gao et al. 2025, "Metadata conditioning accelerates language model pre-training", arXiv:2501.01956, section 2: names before documents without a loss on them,
 * then a cooldown on plain ones.
 * Differs from the paper: an example is a window of a text, each with the name, where documents there are as long as they are.
 *
 * @throws RangeError for names that are too long for examples, and texts that are too short.
 *
 * @example
 * ```ts
 * import { fromSources } from "thalweg";
 * const data = fromSources({ a: "to be or not to be ".repeat(9), b: "ta ta ta ta ".repeat(9) }, { length: 16, cooldown: 0.2 });
 * data.train.shape; // [16]
 * ```
 */
export function fromSources(
  texts: Readonly<Record<string, string>>,
  options: FromSourcesOptions = {},
): Dataset<"sequence"> {
  const { length, test, cooldown, name } = withDefaults<Required<FromSourcesOptions>>("fromSources", options, {
    length: 64,
    test: 0.1,
    cooldown: 0.1,
    name: "sources",
  });
  needWhole("fromSources", "length", length, 2);
  needShare("fromSources", "test", test, "open");
  needShare("fromSources", "cooldown", cooldown);
  const sources = Object.entries(texts).map(([source, text]) => ({ told: [...source, "\n"], text: [...text] }));
  if (sources.length === 0) throw new RangeError("fromSources: at least one text is required, got none");
  const long = sources.find(({ told }) => told.length > length / 2);
  if (cooldown < 1 && long !== undefined)
    throw new RangeError(
      `fromSources: names of fewer than half of the ${length} characters of an example are required, got "${long.told.slice(0, -1).join("")}"`,
    );
  const known = [...new Set(sources.flatMap(({ told, text }) => [...told, ...text]))].sort((a, b) => (a < b ? -1 : 1));
  const place = new Map(known.map((character, i) => [character, i]));
  const parts = sources.map(({ told, text }) => {
    const cut = text.length - Math.max(length + 1, Math.round(text.length * test));
    return { told, train: text.slice(0, Math.max(0, cut)), test: text.slice(Math.max(0, cut)) };
  });
  const tested = parts.flatMap(({ test: text }) => windows(text, length, 0));
  // how many come without names is known only when all are counted: those with names first, as far as the share goes
  const total = parts.reduce((sum, part) => sum + part.train.length, 0);
  const trained = turns(
    parts.map(({ told, train: text }) => {
      const named = Math.round(text.length * (1 - cooldown));
      const prefix = windows(text.slice(0, named), length, told.length).map((window) => [...told, ...window]);
      return { named: prefix, plain: windows(text.slice(named), length, 0), told: told.length };
    }),
  );
  if (trained.length === 0 || tested.length === 0)
    throw new RangeError(`fromSources: texts of more than ${2 * length} characters are required, got ${total} in all`);
  return makeDataset({
    name,
    kind: "sequence",
    target: "tokens",
    classes: known,
    train: tableOf(trained, place, length),
    test: tableOf(
      tested.map((window) => ({ window, told: 0 })),
      place,
      length,
    ),
    source: Object.keys(texts).join(", "),
  });
}

/** Pieces of a text for examples of `length` with so many places taken: one character more than they show, which the last place asks for. */
function windows(text: readonly string[], length: number, taken: number): string[][] {
  const own = length - taken;
  return Array.from({ length: Math.max(0, Math.floor((text.length - 1) / own)) }, (_, i) =>
    text.slice(i * own, (i + 1) * own + 1),
  );
}

/** The examples with names of all sources in turn, then those without. */
function turns(
  parts: readonly { readonly named: readonly string[][]; readonly plain: readonly string[][]; readonly told: number }[],
): { readonly window: readonly string[]; readonly told: number }[] {
  const inTurn = (
    of: (part: (typeof parts)[number]) => readonly string[][],
    told: (part: (typeof parts)[number]) => number,
  ) => {
    const most = Math.max(...parts.map((part) => of(part).length));
    return Array.from({ length: most }).flatMap((_, i) =>
      parts.flatMap((part) => (of(part)[i] === undefined ? [] : [{ window: of(part)[i]!, told: told(part) }])),
    );
  };
  return [
    ...inTurn(
      (part) => part.named,
      (part) => part.told,
    ),
    ...inTurn(
      (part) => part.plain,
      () => 0,
    ),
  ];
}

/** Windows of one character more than they show as examples and what they ask for: nothing before the last character of a name. */
function tableOf(
  rows: readonly { readonly window: readonly string[]; readonly told: number }[],
  place: ReadonlyMap<string, number>,
  length: number,
): Examples {
  const tokens = rows.map(({ window }) => window.map((character) => place.get(character)!));
  const x = Float32Array.from(tokens.flatMap((row) => row.slice(0, length)));
  return table(x, new Int32Array(rows.length).fill(-1), [length], 1, {
    width: length,
    read(at, out, offset = 0) {
      for (let i = 0; i < at.length; i++)
        for (let j = 0; j < length; j++)
          out[offset + i * length + j] = j < rows[at[i]!]!.told - 1 ? -1 : tokens[at[i]!]![j + 1]!;
    },
  });
}
