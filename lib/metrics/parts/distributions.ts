/** The distributions that intervals and tests need, accurate to about 12 digits. */

/** The logarithm of the gamma function. Lanczos's approximation with g = 7, nine terms. */
export function logGamma(x: number): number {
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const shifted = x - 1;
  const t = shifted + 7.5;
  const sum = terms.reduce((total, term, index) => total + (index === 0 ? term : term / (shifted + index)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** The regularised incomplete beta function, by Lentz's continued fraction. */
export function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny);
  let fraction = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let change = 1;
    for (const term of [even, odd]) {
      d = 1 / (1 + term * d || tiny);
      c = 1 + term / c || tiny;
      change = c * d;
      fraction *= change;
    }
    if (Math.abs(change - 1) < 1e-16) break;
  }
  return front * fraction;
}

/** The share of Student's distribution below a value. */
export function studentShare(t: number, degrees: number): number {
  const tail = incompleteBeta(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2;
  return t > 0 ? 1 - tail : tail;
}

/** The value below which a share of Student's distribution lies. */
export function studentQuantile(share: number, degrees: number): number {
  return inverted((t) => studentShare(t, degrees), share);
}

/** The value at which a rising function reaches a share, by bisection. */
function inverted(rising: (value: number) => number, share: number): number {
  let [low, high] = [-1, 1];
  while (rising(low) > share) low *= 2;
  while (rising(high) < share) high *= 2;
  for (let step = 0; step < 200 && high - low > 1e-14 * Math.max(1, Math.abs(low)); step++) {
    const middle = (low + high) / 2;
    if (rising(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The share of the standard normal distribution below a value, by the incomplete gamma function. */
export function normalShare(z: number): number {
  const tail = (1 - incompleteGamma(0.5, (z * z) / 2)) / 2;
  return z > 0 ? 1 - tail : tail;
}

/** The value below which a share of the standard normal distribution lies. */
export function normalQuantile(share: number): number {
  return inverted(normalShare, share);
}

/** The share of the chi-square distribution above a value. */
export function chiSquareTail(value: number, degrees: number): number {
  return 1 - incompleteGamma(degrees / 2, value / 2);
}

/** The share of the F distribution above a value. */
export function fisherTail(value: number, above: number, below: number): number {
  return incompleteBeta(below / 2, above / 2, below / (below + above * value));
}

/** The regularised lower incomplete gamma function: a series for small `x`, a continued fraction for large. */
export function incompleteGamma(a: number, x: number): number {
  if (x <= 0) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; n < 1000 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= x / (a + n);
      sum += term;
    }
    return front * sum;
  }
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < 1000; n++) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / (step * d + b || tiny);
    c = b + step / c || tiny;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return 1 - front * fraction;
}

/** The share of the studentized range of `groups` normal values below `q`, with infinite degrees of freedom. */
export function studentizedRangeShare(q: number, groups: number): number {
  const step = 0.01;
  let total = 0;
  for (let z = -8; z <= 8 + 1e-9; z += step) {
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    total += density * Math.max(0, normalShare(z) - normalShare(z - q)) ** (groups - 1) * step;
  }
  return groups * total;
}

/** The value below which a share of the studentized range of `groups` normal values lies. */
export function studentizedRangeQuantile(share: number, groups: number): number {
  let [low, high] = [0, 12];
  for (let turn = 0; turn < 40; turn++) {
    const middle = (low + high) / 2;
    if (studentizedRangeShare(middle, groups) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
