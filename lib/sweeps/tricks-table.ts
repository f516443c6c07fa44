/** The ablation of a bag of tricks for few-shot class-incremental learning. */
import { type DataFrame, frame } from "../metrics/frame.ts";
import { tInterval } from "../metrics/statistics.ts";
import type { Model } from "../models/model.ts";
import { nameOf, taskNames } from "../runs/name.ts";
import { progress, silent } from "../runs/progress.ts";
import type { Run } from "../runs/run.ts";
import { bagOfTricks } from "../strategies/prototypes/bag-of-tricks.ts";
import type { RunSpec } from "../train/spec.ts";
import { type ManyOptions, runMany } from "./many.ts";

/** The tricks in the order in which a table has them. */
export const tricks = [
  { trick: "contrastive", group: "stability" },
  { trick: "assigned", group: "stability" },
  { trick: "pseudo", group: "stability" },
  { trick: "finetune", group: "adaptability" },
  { trick: "subnet", group: "adaptability" },
  { trick: "larger", group: "training" },
  { trick: "pretrain", group: "training" },
  { trick: "signal", group: "training" },
] as const;

/** The name of a trick. */
export type Trick = (typeof tricks)[number]["trick"];

/** What the table is told. */
export interface TricksTableOptions extends Omit<ManyOptions, "progress"> {
  /** The larger encoder; without one the table has no such row. */
  readonly larger?: Model;
  /**
   * What a row is: all tricks up to it (`cumulative`, the default), it alone, or all without it. Where `subnet` comes without `finetune`, it brings it along,
   * and without `finetune` there is no `subnet` either.
   */
  readonly rows?: "cumulative" | "alone" | "left out";
  /** Other options of `bagOfTricks`: strengths and views. */
  readonly bag?: Omit<NonNullable<Parameters<typeof bagOfTricks>[0]>, Trick>;
  /** Shows nothing while it runs. Default false. */
  readonly quiet?: boolean;
}

/** Accuracies of a row, seed by seed. */
export interface TricksRow {
  readonly name: string;
  readonly tricks: readonly Trick[];
  /** At the end, over the classes of the first experience, and over the later ones. */
  readonly base: readonly number[];
  readonly later: readonly number[];
  /** The mean over the experiences of the accuracy over all classes met by then. */
  readonly average: readonly number[];
}

/** The table with what it was made of. */
export interface TricksTable {
  /** A line per row: the means over seeds of the three accuracies, and half the 95 % interval of the last. */
  readonly table: DataFrame;
  readonly rows: readonly TricksRow[];
}

/**
 * The ablation table of `bagOfTricks` on a few-shot study by one call: its eight tricks, one after the other, one alone, or one left out. The strategies of
 * the study are replaced, and for the row of the larger encoder its model.
 *
 * Roy, Park, Fahrezi and Etemad 2024, "A bag of tricks for few-shot class-incremental learning", arXiv:2403.14392.
 *
 * @throws RangeError where the stream has no later experience.
 *
 * @example
 * ```ts
 * import { blobs, classes, mlp, tricksTable } from "thalweg";
 * const study = classes(blobs({ classes: 4, dimensions: 4 })).fewShot({ base: 2, ways: 1, shots: 3 }).learn(mlp({ hidden: [4] }));
 * const { rows } = await tricksTable(study, { larger: mlp({ hidden: [8] }), quiet: true });
 * rows.length; // 9
 * ```
 */
export async function tricksTable(
  { spec }: { readonly spec: RunSpec },
  { larger, rows: how = "cumulative", bag = {}, quiet = false, ...many }: TricksTableOptions = {},
): Promise<TricksTable> {
  if (!(spec.stream.length > 1))
    throw new RangeError(
      `tricksTable: a stream with later experiences is required, got ${spec.stream.length}; make one with fewShot()`,
    );
  const all = tricks.map(({ trick }) => trick).filter((trick) => trick !== "larger" || larger !== undefined);
  const rows: TricksRow[] = [];
  for (const [name, own] of chosen(all, how)) {
    const toggles = Object.fromEntries(
      tricks.flatMap(({ trick }) => (trick === "larger" ? [] : [[trick, own.includes(trick)]])),
    );
    const model = own.includes("larger") ? larger! : spec.model;
    const made: RunSpec = { ...spec, model, strategies: [bagOfTricks({ ...bag, ...toggles })] };
    const run = await runMany(made, {
      ...many,
      progress: quiet ? silent : progress(`${nameOf(made)} ${name}`, taskNames(made)),
    });
    rows.push({ name, tricks: own, ...accuraciesOf(run) });
  }
  const mean = (values: readonly number[]): number => tInterval(values).mean;
  const table = frame(
    rows.map(({ name, base, later, average }) => ({
      tricks: name,
      group: tricks.find(({ trick }) => name.endsWith(trick))?.group ?? "",
      base: mean(base),
      later: mean(later),
      average: mean(average),
      "±": (tInterval(average).high - tInterval(average).low) / 2,
    })),
  );
  return { table, rows };
}

/** The tricks of each row. */
function chosen(all: readonly Trick[], how: TricksTableOptions["rows"]): [name: string, own: readonly Trick[]][] {
  const none: [string, readonly Trick[]] = ["none", []];
  if (how === "cumulative")
    return [none, ...all.map((trick, i): [string, Trick[]] => [`+ ${trick}`, all.slice(0, i + 1)])];
  if (how === "alone") return [none, ...all.map((t): [string, Trick[]] => [t, t === "subnet" ? ["finetune", t] : [t]])];
  const without = (left: Trick): Trick[] => all.filter((t) => t !== left && !(left === "finetune" && t === "subnet"));
  return [["all", all], ...all.map((trick): [string, Trick[]] => [`− ${trick}`, without(trick)])];
}

function accuraciesOf(run: Run): Pick<TricksRow, "base" | "later" | "average"> {
  const found = run.logs.map(({ seed }) => {
    const { values, examples } = run.matrix({ seed });
    const over = (row: readonly number[], from: number, to: number): number => {
      const tasks = row.map((_, t) => t).filter((t) => t >= from && t < to && !Number.isNaN(row[t]!));
      const total = tasks.reduce((sum, t) => sum + examples[t]!, 0);
      return tasks.reduce((sum, t) => sum + row[t]! * examples[t]!, 0) / total;
    };
    const last = values.at(-1)!;
    const sessions = values.map((row, i) => over(row, 0, i + 1));
    return {
      base: over(last, 0, 1),
      later: over(last, 1, last.length),
      average: sessions.reduce((a, b) => a + b, 0) / sessions.length,
    };
  });
  return {
    base: found.map(({ base }) => base),
    later: found.map(({ later }) => later),
    average: found.map(({ average }) => average),
  };
}
