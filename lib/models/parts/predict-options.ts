/** What can be said of a prediction. */
import type { ExportOptions } from "../../engine/index.ts";
import type { InputOptions } from "./inputs.ts";

/** For which task a network predicts. */
export interface TaskOptions {
  /**
   * The task, from 0: required to predict where each task has a head of its own, or a strategy is told the task. Without it, what is saved
   * has one output for each task of the stream, in their order.
   */
  readonly task?: number;
}

/** How a network predicts. */
export interface PredictOptions extends TaskOptions, InputOptions {}

/** How a network answers. */
export interface ClassifyOptions extends PredictOptions {
  /** How many of the most probable classes of each example; default 1, and for several labels those of a probability from one half on. */
  readonly top?: number;
}

/** How a network is written as an ONNX model. */
export interface OnnxOptions extends TaskOptions, Pick<ExportOptions, "packing"> {}
