/** Things of which no other is better in every way. */

/** Things front by front: in the first are those than which none is as good in all that is asked and better in some of it, in the next those of what is left. A front is looked for when it is asked for. */
export function* fronts<T>(all: readonly T[], worth: (thing: T) => readonly number[]): Generator<readonly T[]> {
  let left = all.map((thing) => ({ thing, worth: worth(thing) }));
  while (left.length > 0) {
    const front = left.filter((one) => !left.some((other) => dominates(other.worth, one.worth)));
    yield front.map(({ thing }) => thing);
    left = left.filter((one) => !front.includes(one));
  }
}

function dominates(a: readonly number[], b: readonly number[]): boolean {
  return a.every((value, i) => value >= b[i]!) && a.some((value, i) => value > b[i]!);
}
