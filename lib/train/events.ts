/** What happens in a run, as typed events. The log, the live plot, the progress bar and the metrics all read these. */

/** A run begins, or goes on from a saved state. */
export interface Started {
  readonly type: "started";
  readonly seed: number;
  /** Steps already taken when a saved run goes on; 0 for a new one. */
  readonly step: number;
  /** How many experiences the stream has; null when it never ends. */
  readonly experiences: number | null;
  readonly tasks: number | null;
  /** The stream's scenario in a word: which columns compete in the softmax. */
  readonly head: "single" | "multi" | "growing";
  /** Trained numbers in the network at the start. */
  readonly parameters: number;
  readonly device: string;
}

/** An experience begins. */
export interface Boundary {
  readonly type: "boundary";
  readonly step: number;
  readonly experience: number;
  readonly task: number;
  readonly examples: number;
  readonly classes: readonly number[];
  /** Steps that will be taken on it; null when a closed form learns it. */
  readonly steps: number | null;
}

/** One update of the weights. */
export interface Stepped {
  readonly type: "step";
  /** Updates so far in the run, this one included. */
  readonly step: number;
  readonly experience: number;
  readonly epoch: number;
  /** The mean training loss of the batch before the update, all terms added. */
  readonly loss: number;
  /** The size of each term: the task's loss and what each strategy adds, by name. */
  readonly terms: Readonly<Record<string, number>>;
  /** How much each projection changed the gradient, `‖g − g′‖ / ‖g‖`, by name; where there is one. */
  readonly projected?: Readonly<Record<string, number>>;
  /** New examples of the batch (replayed ones left out), and the share of them classified right before the update, where it was asked for. */
  readonly examples?: number;
  readonly accuracy?: number;
}

/** The test examples of one task were evaluated. */
export interface Evaluated {
  readonly type: "evaluated";
  readonly step: number;
  /** Why: before any training, in the middle of an experience, or after one. */
  readonly at: "start" | "step" | "experience";
  /** The experience that was trained last (or is being trained); −1 at the start. */
  readonly after: number;
  /** The task evaluated. */
  readonly on: number;
  readonly examples: number;
  /** The share of examples classified right by the stream's own rule: task-aware when it tells the task, else task-agnostic. */
  readonly accuracy: number;
  /** The share right when only the columns of the example's task compete. */
  readonly taskAware: number;
  /** The share right when all columns compete. */
  readonly taskAgnostic: number;
  /** Mean cross-entropy under the stream's own rule. */
  readonly loss: number;
  /** Where the task has classes that the learner was asked to forget: these and the others apart. */
  readonly forgotten?: PartScore;
  readonly retained?: PartScore;
  /** Where a strategy learns at test time: the batches in the order in which they came, each predicted with what it and those before taught. */
  readonly online?: readonly PartScore[];
}

/** Some of the test examples of a task, and the share of them classified right by the stream's own rule. */
export interface PartScore {
  readonly examples: number;
  readonly accuracy: number;
}

/** A deletion request arrived: strategies dropped what they held of these columns. */
export interface Forgot {
  readonly type: "forgot";
  readonly step: number;
  readonly experience: number;
  readonly classes: readonly number[];
}

/** An experience ended. */
export interface Learned {
  readonly type: "learned";
  readonly step: number;
  readonly experience: number;
  /** What of the stream's budget ended it before all was learnt; absent where nothing did. */
  readonly budget?: "steps" | "flops";
  /** Wall-clock seconds of training, evaluation left out. Never used in comparing runs. */
  readonly seconds: number;
}

/** A probe measured something of the network: how much of it is dead, how large its weights are, what a run has cost so far. */
export interface Probed {
  readonly type: "probed";
  readonly step: number;
  readonly experience: number;
  /** What was measured, in a word: `dormantUnits`, `effectiveRank`, `weightNorm`, `linearProbe`, `bufferBytes`, … */
  readonly name: string;
  /** The layer or group of parameters; null for the whole network. */
  readonly layer: string | null;
  /** The task whose examples were used; null when it is not about a task. */
  readonly on: number | null;
  readonly value: number;
}

/** A strategy has something to say: a warning, or what it found. */
export interface Noted {
  readonly type: "note";
  readonly step: number;
  readonly experience: number;
  /** The name of the strategy. */
  readonly from: string;
  readonly text: string;
}

/** The state of the run was saved. */
export interface Checkpointed {
  readonly type: "checkpoint";
  readonly step: number;
  readonly experience: number;
}

/** The run ended. */
export interface Finished {
  readonly type: "finished";
  readonly step: number;
  /** Wall-clock seconds, evaluation included. Never used in comparing runs. */
  readonly seconds: number;
}

/** Anything that happens in a run. */
export type TrainEvent =
  | Started
  | Boundary
  | Stepped
  | Evaluated
  | Forgot
  | Learned
  | Probed
  | Noted
  | Checkpointed
  | Finished;
