/** Which activations of a row of convolutions are given up, and which of the convolutions are then merged: the best within a budget, exactly. */

/** Whether there is an activation: 1, or 0. */
export type Bit = 0 | 1;

/** What is known of a row of `count` convolutions. Position l is behind convolution l, counted from 1; 0 is before them all. */
export interface DepthTables {
  readonly count: number;
  /** What one convolution costs that stands for those from position `from` to position `to`; infinite where they cannot be merged. */
  cost(from: number, to: number): number;
  /** What it is worth to have no activation between two positions, with or without one at each of them; −∞ where that cannot be. */
  worth(from: number, to: number, first: Bit, last: Bit): number;
}

/** What was chosen. */
export interface DepthPlan {
  /** Positions that have an activation. */
  readonly activations: readonly number[];
  /** Convolutions that become one: after which position they begin, and at which they end. */
  readonly merges: readonly (readonly [from: number, to: number])[];
  readonly worth: number;
  readonly cost: number;
}

interface Best {
  readonly value: number;
  readonly breaks: readonly number[];
}

/**
 * The plan that is worth most among those within a budget. First, for each two positions: the cheapest way to merge what is between, and what it is worth to have no
 * activation there, measured at once or as the sum of shorter stretches. Then, over whole costs from 0 to `levels`: which positions are joined. Costs are rounded
 * up, so that the budget is kept; null where nothing is cheap enough.
 */
export function depthPlan({ count, cost, worth }: DepthTables, budget: number, levels = 1000): DepthPlan | null {
  const cheapest = new Map<string, Best>();
  const dearest = new Map<string, number>();
  const bits = [0, 1] as const;
  for (let span = 1; span <= count; span++)
    for (let from = 0; from + span <= count; from++) {
      const to = from + span;
      let best: Best = { value: cost(from, to), breaks: [to] };
      for (let middle = from + 1; middle < to; middle++) {
        const before = cheapest.get(`${from} ${middle}`)!;
        const value = before.value + cost(middle, to);
        if (value < best.value) best = { value, breaks: [...before.breaks, to] };
      }
      cheapest.set(`${from} ${to}`, best);
      for (const first of bits)
        for (const last of bits) {
          let most = worth(from, to, first, last);
          for (let middle = from + 1; middle < to; middle++)
            most = Math.max(most, dearest.get(`${from} ${middle} ${first} 0`)! + worth(middle, to, 0, last));
          dearest.set(`${from} ${to} ${first} ${last}`, most);
        }
    }
  interface Step {
    readonly worth: number;
    readonly cost: number;
    readonly from: readonly [level: number, position: number, bit: Bit] | null;
  }
  const found = new Map<string, Step>();
  const at = (level: number, position: number, bit: Bit): Step | undefined => found.get(`${level} ${position} ${bit}`);
  const levelsOf = (from: number, to: number): number =>
    Math.ceil((cheapest.get(`${from} ${to}`)!.value / budget) * levels - 1e-9);
  for (let level = 0; level <= levels; level++) found.set(`${level} 0 1`, { worth: 0, cost: 0, from: null });
  for (let to = 1; to <= count; to++)
    for (let level = 0; level <= levels; level++)
      for (const last of bits) {
        let best: Step | undefined;
        for (let from = 0; from < to; from++) {
          const left = level - levelsOf(from, to);
          if (!(left >= 0)) continue;
          for (const first of bits) {
            const before = at(left, from, first);
            if (before === undefined) continue;
            const own = dearest.get(`${from} ${to} ${first} ${last}`)!;
            if (own === Number.NEGATIVE_INFINITY) continue;
            const total = before.worth + own;
            const price = before.cost + cheapest.get(`${from} ${to}`)!.value;
            if (best === undefined || total > best.worth + 1e-9 || (total > best.worth - 1e-9 && price < best.cost))
              best = { worth: total, cost: price, from: [left, from, first] };
          }
        }
        if (best !== undefined) found.set(`${level} ${to} ${last}`, best);
      }
  const ends = bits.flatMap((bit) => {
    const step = at(levels, count, bit);
    return step === undefined ? [] : [{ step, bit }];
  });
  if (ends.length === 0) return null;
  const end = ends.reduce((a, b) => (b.step.worth > a.step.worth ? b : a));
  const activations: number[] = [];
  const merges: (readonly [number, number])[] = [];
  let [step, position, bit]: [Step, number, Bit] = [end.step, count, end.bit];
  while (step.from !== null) {
    const [level, from, first] = step.from;
    if (bit === 1) activations.unshift(position);
    const { breaks } = cheapest.get(`${from} ${position}`)!;
    merges.unshift(...breaks.map((to, i) => [i === 0 ? from : breaks[i - 1]!, to] as const));
    [step, position, bit] = [at(level, from, first)!, from, first];
  }
  return { activations, merges, worth: end.step.worth, cost: end.step.cost };
}
