/** What a part of a run's plan is told, and what it makes of that. */
import type { Moment } from "./optimizer.ts";

/** What happened since a listener was told last. */
export interface News {
  /** Updates since then. */
  readonly steps: number;
  /** The mean over these of the training loss before the update, all terms added. */
  readonly loss: number;
  /** The mean of each term: the task's loss and what each strategy adds, by name. */
  readonly terms: Readonly<Record<string, number>>;
  /** Examples of the stream in the last update. */
  readonly examples: number;
  /** Where it was asked for: the squared norm of the last update's gradient, as it came from the whole loss. */
  readonly norm?: number;
  /**
   * Where it was asked for: an unbiased estimate of the trace of the covariance of the gradients of single examples, from the parts that the
   * last update's rows were divided into; divided by the rows it is the variance of their mean.
   */
  readonly variance?: number;
}

/**
 * How a part of a plan listens. Its state is plain data (numbers, arrays, objects of these), which is saved with the run: a resumed run
 * hears what it would have heard.
 */
export interface Listening<S extends object> {
  /** It is told after every so many updates of an experience, or at the end of every pass over the examples. */
  readonly every: number | "epoch";
  /** What it wants to know besides the loss; only what someone asks for is computed, in the update that ends the interval. */
  readonly hears?: readonly ("norm" | "variance")[];
  /** Parts that the rows of an update are divided into where `variance` is heard. Default 2. */
  readonly parts?: number;
  /** Its state at the start of a run. */
  begin(): S;
  /** Its state when an experience begins; as it was where this is left out. */
  enter?(state: S): S;
  /** Its state after what happened; `moment` is that of the last update. */
  told(state: S, news: News, moment: Required<Moment>): S;
}
