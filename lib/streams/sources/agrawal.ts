/** The loan applications of Agrawal. */
import { type DriftOptions, drifting } from "../parts/drift.ts";
import { type Stream, source } from "../stream.ts";

/** One application. */
interface Person {
  readonly salary: number;
  readonly commission: number;
  readonly age: number;
  readonly education: number;
  readonly house: number;
  readonly years: number;
  readonly loan: number;
}

const between = (x: number, low: number, high: number): boolean => x >= low && x <= high;

/** What depends on whether a person is younger than 40, younger than 60, or older. */
const byAge = <T>(age: number, young: T, middle: T, old: T): T => (age < 40 ? young : age < 60 ? middle : old);

const thousands = (x: number, [low, high]: readonly [number, number]): boolean => between(x, 1000 * low, 1000 * high);

/** The ten rules: whether a person is in group A. */
const rules: readonly ((p: Person) => boolean)[] = [
  ({ age }) => age < 40 || age >= 60,
  ({ age, salary }) => thousands(salary, byAge(age, [50, 100], [75, 125], [25, 75])),
  ({ age, education }) => between(education, ...byAge<[number, number]>(age, [0, 1], [1, 3], [2, 4])),
  ({ age, education, salary }) => {
    const taught = between(education, ...byAge<[number, number]>(age, [0, 1], [1, 3], [2, 4]));
    return thousands(
      salary,
      taught ? byAge(age, [25, 75], [50, 100], [50, 100]) : byAge(age, [50, 100], [75, 125], [25, 75]),
    );
  },
  ({ age, salary, loan }) => {
    const earning = thousands(salary, byAge(age, [50, 100], [75, 125], [25, 75]));
    return thousands(
      loan,
      earning ? byAge(age, [100, 300], [200, 400], [300, 500]) : byAge(age, [200, 400], [300, 500], [100, 300]),
    );
  },
  ({ age, salary, commission }) => thousands(salary + commission, byAge(age, [50, 100], [75, 125], [25, 75])),
  ({ salary, commission, loan }) => 0.67 * (salary + commission) - 0.2 * loan - 20_000 > 0,
  ({ salary, commission, education }) => 0.67 * (salary + commission) - 5000 * education - 20_000 > 0,
  ({ salary, commission, education, loan }) =>
    0.67 * (salary + commission) - 5000 * education - 0.2 * loan - 10_000 > 0,
  ({ salary, commission, education, house, years }) =>
    0.67 * (salary + commission) - 5000 * education + 0.2 * (years >= 20 ? 0.1 * house * (years - 20) : 0) - 10_000 > 0,
];

/**
 * Loan applications of nine attributes, with ten rules for who is in group A: ten concepts, with 10 % of the training labels wrong. In a
 * batch every attribute is divided by the largest value it can have.
 *
 * R. Agrawal, T. Imielinski, A. Swami, Database mining: a performance perspective, IEEE Transactions on Knowledge and Data Engineering 1993,
 * section VI. Differs from the paper: labels are flipped instead of attributes moved.
 *
 * @example
 * ```ts
 * import { agrawal } from "thalweg";
 * agrawal({ concepts: [0, 4, 9], examples: 100 }).length; // 3
 * ```
 */
export const agrawal = source("agrawal", "none", function agrawal(options: DriftOptions = {}): Stream<
  "boundary" | "labels" | "length",
  "vector"
> {
  return drifting(
    {
      name: "agrawal",
      concepts: rules.length,
      size: 9,
      classes: ["A", "B"],
      draw(concept, rng, out) {
        const salary = 20_000 + 130_000 * rng.uniform();
        const bonus = 10_000 + 65_000 * rng.uniform();
        const commission = salary >= 75_000 ? 0 : bonus;
        const [age, education, car, zip] = [20 + rng.int(61), rng.int(5), 1 + rng.int(20), rng.int(9)];
        const house = (9 - zip) * 100_000 * (0.5 + rng.uniform());
        const [years, loan] = [1 + rng.int(30), 500_000 * rng.uniform()];
        out.set([
          salary / 150_000,
          commission / 75_000,
          age / 80,
          education / 4,
          car / 20,
          zip / 8,
          house / 1_350_000,
          years / 30,
          loan / 500_000,
        ]);
        return rules[concept]!({ salary, commission, age, education, house, years, loan }) ? 0 : 1;
      },
    },
    options,
    (seed) => agrawal({ ...options, seed }),
  );
});
