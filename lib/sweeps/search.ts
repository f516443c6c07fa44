/** Which settings of a sweep are tried: all, some by chance, or many for a short while and few for long. */
import { random } from "../engine/index.ts";

/** The values of each setting. */
export type Axes = { readonly [name: string]: readonly (string | number | boolean)[] };

/** One value of each setting. */
export type Settings<A extends Axes> = { readonly [K in keyof A]: A[K][number] };

/** A way of choosing: the settings that are tried first, and how many go on to each further round with more seeds. */
export interface Search {
  readonly search: string;
  first<A extends Axes>(axes: A): Settings<A>[];
  /** For each round the share of settings that stay, and the share of seeds they are trained with by then. One round tries all at once. */
  readonly rounds: readonly { readonly keep: number; readonly seeds: number }[];
}

const once = [{ keep: 1, seeds: 1 }] as const;

/** Every combination. */
export function grid(): Search {
  return { search: "grid", first: combinations, rounds: once };
}

/** So many combinations, drawn without repetition; `seed` (0) makes them the same each time. */
export function randomly(count: number, { seed = 0 }: { readonly seed?: number } = {}): Search {
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`randomly: a whole number of settings of at least 1 is required, got ${count}`);
  return {
    search: `randomly(${count})`,
    rounds: once,
    first(axes) {
      const all = combinations(axes);
      const order = random(seed).at("sweep").permutation(all.length);
      return Array.from(order.slice(0, count), (i) => all[i]!);
    },
  };
}

/**
 * Successive halving over seeds: every combination is tried with a few seeds, the better share goes on to more of them. `factor` (2) is how
 * many times fewer go on each time. Jamieson and Talwalkar 2016, arXiv:1502.07943.
 *
 * Differs from the paper: what grows from round to round is the number of seeds, not the length of training, for a stream cut short is
 * another stream.
 */
export function halving({
  factor = 2,
  rounds = 3,
}: {
  readonly factor?: number;
  readonly rounds?: number;
} = {}): Search {
  if (!(factor > 1) || !Number.isInteger(rounds) || rounds < 1)
    throw new RangeError(`halving: a factor above 1 and at least 1 round are required, got ${factor} and ${rounds}`);
  return {
    search: `halving(${factor}, ${rounds})`,
    first: combinations,
    rounds: Array.from({ length: rounds }, (_, i) => ({
      keep: i === 0 ? 1 : 1 / factor,
      seeds: factor ** (i + 1 - rounds),
    })),
  };
}

function combinations<A extends Axes>(axes: A): Settings<A>[] {
  for (const [name, values] of Object.entries(axes))
    if (values.length === 0) throw new RangeError(`sweep: at least one value of ${name} is required, got none`);
  return Object.entries(axes).reduce<Record<string, string | number | boolean>[]>(
    (all, [name, values]) => all.flatMap((rest) => values.map((value) => ({ ...rest, [name]: value }))),
    [{}],
  ) as Settings<A>[];
}
