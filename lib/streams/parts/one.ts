/** For operators that deal out the classes of a stream of one experience. */
import type { Experience, Stream } from "../stream.ts";

/**
 * The one experience of a stream, made when it is first asked for.
 *
 * @throws TypeError when the stream has several.
 */
export function oneExperience(name: string, stream: Stream): () => Experience {
  if (stream.length !== 1)
    throw new TypeError(
      `${name}: a stream of one experience is required, got one of ${stream.length}; put it on classes(data) without a split`,
    );
  let made: Experience | undefined;
  return () => (made ??= stream.experience(0));
}
