/** A part of a program that is computed only when it is due. */
import * as tf from "@tensorflow/tfjs-core";
import { backend, backendName, TraceError } from "./runtime/backend.ts";
import { recordBody, recordWhen } from "./runtime/body.ts";
import { leaves, type Tree, unflatten } from "./tree.ts";

/**
 * Gives `fn(state)` where `due` is above 0, and else the state as it is. `due` is a scalar tensor.
 *
 * Within `jit` and `steps` it is one program, which skips the work when it is not due. Only what depends on the tensors of `state` is
 * skipped; what `fn` takes from around it and does not come from `state` is computed each time. It has no gradient.
 *
 * @throws TypeError where a gradient is asked for, or where `fn` gives another tree or other shapes than the state's.
 *
 * @example
 * ```ts
 * import { jit, tf, when } from "thalweg";
 * const halved = jit((step: tf.Tensor, x: tf.Tensor) => when(tf.equal(tf.mod(step, 2), 0), (now) => tf.div(now, 2), x));
 * [0, 1].map((step) => halved(tf.scalar(step), tf.scalar(8)).dataSync()[0]); // [4, 8]
 * ```
 */
export function when<S>(due: tf.Tensor, fn: (state: S) => S, state: S): S {
  if (tf.engine().state.gradientDepth > 0)
    throw new TypeError("when: a place outside of a gradient is required; use tf.where for what is differentiated");
  const given = leaves(state as Tree);
  const flag = tf.cast(tf.greater(tf.cast(due, "float32"), 0), "int32");
  if (tf.getBackend() === backendName) {
    try {
      return unflatten(state, skipping(flag, fn, state, given)) as S;
    } catch (error) {
      if (!(error instanceof TraceError) || backend.tracing !== null) throw error;
    }
  }
  const next = flag.dataSync()[0]! > 0 ? fn(state) : state;
  return unflatten(
    state,
    requireSame(given, leaves(next as Tree)).map((leaf) => tf.clone(leaf)),
  ) as S;
}

function skipping<S>(flag: tf.Tensor, fn: (state: S) => S, state: S, given: readonly tf.Tensor[]): tf.Tensor[] {
  const tracing = backend.recording;
  const body = recordBody(
    "when",
    tracing,
    given,
    null,
    1,
    (inner) => requireSame(given, leaves(fn(unflatten(state, inner) as S) as Tree)) as tf.Tensor[],
  );
  const arrs = given.map((tensor) => backend.arr(tensor));
  return recordWhen(tracing.graph, body, backend.arr(flag), arrs).map((one) =>
    tf.engine().makeTensorFromTensorInfo(backend.make(one), backend),
  );
}

function requireSame(before: readonly tf.Tensor[], after: readonly tf.Tensor[]): readonly tf.Tensor[] {
  const at = before.findIndex(
    ({ shape, dtype }, i) => String(after[i]?.shape) !== String(shape) || after[i]?.dtype !== dtype,
  );
  if (at >= 0 || after.length !== before.length)
    throw new TypeError(
      `when: a result like the state is required, got ${after.length} tensors for ${before.length}${at < 0 ? "" : `, and [${after[at]?.shape}] for [${before[at]!.shape}]`}`,
    );
  return after;
}
