/** What a run is computed by. */
import { tf } from "../engine/index.ts";

/** The name of the backend in use; chooses one where nothing has been computed yet. */
export function deviceName(): string {
  tf.backend();
  return tf.getBackend();
}
