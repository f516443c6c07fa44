/** How often a trained network is right. */
import type { Examples } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import type { TrainedNetwork } from "../trained.ts";

/** The share of examples that a network answers rightly. */
export function accuracyOf(network: TrainedNetwork, data: Examples): number {
  return tf.tidy(() => {
    const answers = tf.argMax(network.predict(data), -1).dataSync() as Int32Array;
    return answers.reduce((sum, answer, i) => sum + Number(answer === data.labels[i]), 0) / data.length;
  });
}
