/** A learning rate that is searched for while a run is trained: each part of it begins with short trials of several rates. */
import { needWhole, withDefaults } from "../data/options.ts";
import { experience } from "../runs/place.ts";
import type { TrainEvent } from "../train/events.ts";
import { fit } from "../train/fit.ts";
import type { RunSpec } from "../train/spec.ts";
import { carriedOver } from "../train/state.ts";
import { isDivergence } from "../train/stepped.ts";
import { gaussianProcess } from "./parts/gaussian-process.ts";

/** How rates are searched for. */
export interface AutoLrsOptions {
  /** The least and the largest rate. Default [1e-4, 1]. */
  readonly lr?: readonly [least: number, most: number];
  /** Steps that are trained with one rate. Default 100. */
  readonly stage?: number;
  /** How many stages. Default 4. */
  readonly stages?: number;
  /** Rates that are tried before each stage. Default 10. */
  readonly trials?: number;
  /** Steps of a trial. Default a tenth of a stage. */
  readonly trial?: number;
  /** How many deviations below its mean a rate's forecast may lie where the next one is chosen. Default 2. */
  readonly doubt?: number;
  /** The seed of the run. Default 0. */
  readonly seed?: number;
}

/** A run whose rates were searched for. */
export interface AutoLrs {
  /** The rate of each stage. */
  readonly rates: readonly number[];
  /** What each trial tried, and the loss that was forecast for the end of the stage; infinite where its loss was not finite. */
  readonly tried: readonly (readonly { readonly lr: number; readonly forecast: number }[])[];
  /** The events of the stages, one after the other, without those of the trials. */
  readonly events: readonly TrainEvent[];
}

/**
 * Trains a run in stages, the rate of each found by trials from where the stage begins: a short trial says how the loss falls, an exponential through it what
 * the loss would be at the end of the stage, and a Gaussian process over the logarithm of the rate which one to try next. Then the run goes on from the
 * beginning of the stage with the best.
 *
 * `build` makes the study of a rate, whose stream and model may not depend on it; it has one experience of at least `stage · stages` steps. Trials cost
 * `trials · trial` steps for each stage. A rate at which the loss is not finite is never taken.
 *
 * Implements: P320 AutoLRS
 * Jin et al. 2021, "AutoLRS: automatic learning-rate schedule by Bayesian optimization on the fly", arXiv:2105.10762, algorithms 1 and 2.
 * Differs from the paper: losses are those of training batches, not of a validation set; stages have one length; the exponential's rate is searched on a grid,
 * and outliers stay in; the next rate is chosen by few deviations, where the authors' program (YuchenJin/autolrs) takes a million, which spreads the rates.
 *
 * @example
 * ```ts
 * import { autoLrs, blobs, classes, mlp, sgd } from "thalweg";
 * const study = classes(blobs({ classes: 4 })).split(1).learn(mlp({ hidden: [8] })).train({ batch: 8, steps: 20 });
 * const found = await autoLrs(({ lr }) => study.with(sgd({ lr })), { stage: 10, stages: 2, trials: 3, trial: 4 });
 * found.rates.length; // 2
 * ```
 */
export async function autoLrs(
  build: (settings: { readonly lr: number }) => { readonly spec: RunSpec },
  options: AutoLrsOptions = {},
): Promise<AutoLrs> {
  const {
    lr: range,
    stage,
    stages,
    trials,
    trial,
    doubt,
    seed,
  } = withDefaults("autoLrs", options, {
    lr: [1e-4, 1],
    stage: 100,
    stages: 4,
    trials: 10,
    trial: 0,
    doubt: 2,
    seed: 0,
  } as Required<AutoLrsOptions>);
  const [least, most] = range;
  if (!(least > 0 && most > least))
    throw new RangeError(`autoLrs: lr [least, most] above 0 is required, got [${least}, ${most}]`);
  for (const [name, value] of Object.entries({ stage, stages, trials })) needWhole("autoLrs", name, value);
  const short = trial === 0 ? Math.max(4, Math.round(stage / 10)) : needWhole("autoLrs", "trial", trial, 3);
  const rates: number[] = [];
  const tried: { readonly lr: number; readonly forecast: number }[][] = [];
  const events: TrainEvent[] = [];
  let at: { readonly spec: RunSpec; readonly state: Uint8Array } | null = null;
  for (let s = 0; s < stages; s++) {
    const begin = s * stage;
    const all: { lr: number; forecast: number }[] = [];
    for (let k = 0; k < trials; k++) {
      const lr = nextRate(all, range, doubt);
      const found: Stretch | null = await stretch(build({ lr }).spec, at, begin + short, seed);
      all.push({ lr, forecast: found === null ? Number.POSITIVE_INFINITY : forecast(found.losses, stage) });
    }
    const best = all.reduce((a, b) => (b.forecast < a.forecast ? b : a));
    const taken: Stretch | null = Number.isFinite(best.forecast)
      ? await stretch(build({ lr: best.lr }).spec, at, begin + stage, seed)
      : null;
    if (taken === null)
      throw new Error(`autoLrs: a rate whose loss stays finite is required, got none in stage ${s}; lower the range`);
    at = taken;
    rates.push(best.lr);
    tried.push(all);
    events.push(...taken.events);
  }
  return { rates, tried, events };
}

/** A run up to a step. */
interface Stretch {
  readonly spec: RunSpec;
  readonly state: Uint8Array;
  readonly events: readonly TrainEvent[];
  readonly losses: readonly number[];
}

/** Goes on from a state with other settings up to a step; null where the loss is not finite. */
async function stretch(
  spec: RunSpec,
  from: { readonly spec: RunSpec; readonly state: Uint8Array } | null,
  step: number,
  seed: number,
): Promise<Stretch | null> {
  const until = experience(0).step(step).ahead(spec.stream);
  const state = from === null ? undefined : carriedOver(from.state, from.spec, spec, seed, { keep: true });
  const fitting = fit(spec, { seed, ...(state && { from: state }), ...(until && { until }) });
  const events: TrainEvent[] = [];
  try {
    for await (const event of fitting) events.push(event);
    const losses = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
    return { spec, state: fitting.save(), events, losses };
  } catch (error) {
    if (!isDivergence(error)) throw error;
    return null;
  } finally {
    fitting.dispose();
  }
}

/**
 * What a loss will be at a step, by `a · exp(b t) + c` with b below 0 through its first values: b is searched, a and c are those of least squares. Where no
 * such curve falls, it is the mean of the values.
 */
export function forecast(losses: readonly number[], step: number): number {
  const n = losses.length;
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / n;
  let best = { error: Number.POSITIVE_INFINITY, at: mean };
  for (let k = 0; k <= 60; k++) {
    const b = -(10 ** (-3 + k / 20)) / Math.max(1, n / 10);
    const curve = losses.map((_, t) => Math.exp(b * (t + 1)));
    const middle = curve.reduce((sum, value) => sum + value, 0) / n;
    const spread = curve.reduce((sum, value) => sum + (value - middle) ** 2, 0);
    if (spread < 1e-12) continue;
    const a = curve.reduce((sum, value, t) => sum + (value - middle) * (losses[t]! - mean), 0) / spread;
    if (a <= 0) continue;
    const c = Math.max(0, mean - a * middle);
    const error = curve.reduce((sum, value, t) => sum + (a * value + c - losses[t]!) ** 2, 0);
    if (error < best.error) best = { error, at: a * Math.exp(b * step) + c };
  }
  return best.at;
}

/**
 * The rate to try next: the middle first, then the one whose forecast, by a Gaussian process over the logarithm, may be the lowest. Rates whose loss was not
 * finite count as the worst that was met.
 */
export function nextRate(
  tried: readonly { readonly lr: number; readonly forecast: number }[],
  [least, most]: readonly [number, number],
  doubt: number,
): number {
  const rate = (u: number): number => least * (most / least) ** u;
  if (tried.length === 0) return rate(0.5);
  const n = tried.length;
  const places = tried.map(({ lr }) => Math.log(lr / least) / Math.log(most / least));
  const finite = tried.map(({ forecast }) => forecast).filter(Number.isFinite);
  const worst = finite.length === 0 ? 1 : Math.max(...finite);
  const values = tried.map(({ forecast }) => (Number.isFinite(forecast) ? forecast : worst));
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const scale = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n) || 1;
  const expected = gaussianProcess(
    places,
    values.map((value) => (value - mean) / scale),
    { length: 0.15, noise: 1e-3 },
  );
  let best = { bound: Number.POSITIVE_INFINITY, u: 0.5 };
  for (let k = 0; k <= 200; k++) {
    const u = k / 200;
    const { mean: middle, variance } = expected(u);
    const bound = middle - doubt * Math.sqrt(variance);
    if (bound < best.bound) best = { bound, u };
  }
  return rate(best.u);
}
