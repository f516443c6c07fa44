/** When things that were met come back. */
import type { Rng } from "../../engine/random.ts";

/** The order of visits: experience `i` is new at moment `floor(i · length / count)`. */
export function visits(count: number, length: number, exponent: number, rng: Rng): Uint32Array {
  const last = new Float64Array(count).fill(-1);
  const out = new Uint32Array(length);
  let met = 0;
  for (let now = 0; now < length; now++) {
    let chosen: number;
    if (met < count && now >= Math.floor((met * length) / count)) chosen = met++;
    else {
      let total = 0;
      for (let i = 0; i < met; i++) total += (now - last[i]!) ** -exponent;
      let at = rng.uniform() * total;
      chosen = 0;
      while (chosen < met - 1 && (at -= (now - last[chosen]!) ** -exponent) >= 0) chosen++;
    }
    last[chosen] = now;
    out[now] = chosen;
  }
  return out;
}
