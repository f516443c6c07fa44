/** A time series whose ways change. */
import { random } from "../engine/random.ts";
import { type Dataset, type Examples, makeDataset, table, targetTable } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `driftingSeries` can be told. */
export interface DriftingSeriesOptions {
  /** Moments in all; default 5000. */
  readonly moments?: number;
  /** Moments that an example shows; default 32. */
  readonly window?: number;
  /** Waves that are added up; default 3. */
  readonly waves?: number;
  /** By how much the frequency of each wave changes over the whole series, as a share; default 0.5. */
  readonly drift?: number;
  /** Deviation of the noise; default 0.05. */
  readonly noise?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * A sum of waves whose frequencies slowly change, and noise. An example is a window, what is asked for is the next value ("numbers").
 * Examples are in the order of time, every fifth window is for testing: `sequence(data, n)` is a stream of its seasons.
 *
 * @example
 * ```ts
 * import { driftingSeries, sequence } from "thalweg";
 * sequence(driftingSeries({ moments: 1000 }), 5).target; // "numbers"
 * ```
 */
export function driftingSeries(options: DriftingSeriesOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<DriftingSeriesOptions>>("driftingSeries", options, {
    moments: 5000,
    window: 32,
    waves: 3,
    drift: 0.5,
    noise: 0.05,
    seed: 0,
  });
  needWhole("driftingSeries", "window", o.window);
  needWhole("driftingSeries", "waves", o.waves);
  needWhole("driftingSeries", "moments", o.moments, o.window + 5);
  const rng = random(o.seed).at("series");
  const waves = Array.from({ length: o.waves }, () => ({
    frequency: (2 * Math.PI) / (10 + 40 * rng.uniform()),
    change: o.drift * (2 * rng.uniform() - 1),
    phase: 2 * Math.PI * rng.uniform(),
  }));
  const series = Float32Array.from({ length: o.moments }, (_, t) => {
    // the phase is the integral of a frequency that changes evenly
    const value = waves.reduce(
      (sum, { frequency, change, phase }) =>
        sum + Math.sin(phase + frequency * t * (1 + (change * t) / (2 * o.moments))),
      0,
    );
    return value / o.waves + o.noise * rng.normal();
  });
  const starts = Array.from({ length: o.moments - o.window }, (_, t) => t);
  const part = (wanted: (t: number) => boolean): Examples => {
    const at = starts.filter(wanted);
    const x = new Float32Array(at.length * o.window);
    at.forEach((t, i) => {
      x.set(series.subarray(t, t + o.window), i * o.window);
    });
    const y = Float32Array.from(at, (t) => series[t + o.window]!);
    return table(x, new Int32Array(at.length).fill(-1), [o.window, 1], 1, targetTable(y, 1));
  };
  return makeDataset({
    name: "drifting-series",
    kind: "sequence",
    target: "numbers",
    classes: ["next"],
    train: part((t) => t % 5 !== 4),
    test: part((t) => t % 5 === 4),
    source: `driftingSeries(${JSON.stringify(options)}), made by the library`,
  });
}
