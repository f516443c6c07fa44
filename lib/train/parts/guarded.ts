/** Looks at what a stream gives before it is trained or tested on. */
import { type Examples, sizeOf } from "../../data/dataset.ts";
import type { Model } from "../../models/model.ts";
import type { Stream } from "../../streams/stream.ts";

/** Rows that are read at once. */
const rowsAtOnce = 4096;

/**
 * The same stream, which throws, where it is first asked for them, for test examples that are none or that have no class, and for tokens that
 * the model does not know: they would be counted as wrong, or seen as nothing, without a word.
 */
export function guarded(stream: Stream, model: Model): Stream {
  const known = stream.kind === "sequence" ? vocabularyOf(model) : undefined;
  const [trained, tested] = [new Set<number>(), new Set<number>()];
  return Object.freeze<Stream>({
    ...stream,
    experience(index) {
      const made = stream.experience(index);
      if (known !== undefined && !trained.has(index)) requireTokens(made.train, known, `experience ${index}`);
      trained.add(index);
      return made;
    },
    test(task) {
      const made = stream.test(task);
      if (tested.has(task)) return made;
      const { examples, classes } = made;
      const names =
        classes.length > 5 ? `${classes.length} classes` : classes.map((c) => stream.classes[c] ?? c).join(", ");
      if (examples.length === 0)
        throw new RangeError(
          `evaluate: at least one test example of every task is required, got none of task ${task} (${names}); give test examples of these classes, or leave them out of the stream`,
        );
      const bare = stream.target === "class" ? examples.labels.indexOf(-1) : -1;
      if (bare >= 0)
        throw new RangeError(
          `evaluate: a class for every test example is required, got none at example ${bare} of task ${task} (${names}); leave out the test examples that have none`,
        );
      if (known !== undefined) requireTokens(examples, known, `the test of task ${task}`);
      tested.add(task);
      return made;
    },
  });
}

/** How many tokens a model knows, where it begins with them. */
function vocabularyOf({ spec }: Model): number | undefined {
  const first = spec.layers?.[0];
  if (first?.name !== "embedding") return undefined;
  const { tokens } = (first.options ?? {}) as { readonly tokens?: number };
  return tokens;
}

function requireTokens(of: Examples, known: number, where: string): void {
  const size = sizeOf(of.shape);
  for (let from = 0; from < of.length; from += rowsAtOnce) {
    const at = Uint32Array.from({ length: Math.min(rowsAtOnce, of.length - from) }, (_, i) => from + i);
    const rows = of.bytes ? new Uint8Array(at.length * size) : new Float32Array(at.length * size);
    of.read(at, rows);
    const wrong = rows.findIndex((token) => {
      const value = token * of.scale;
      return !Number.isInteger(value) || value < 0 || value >= known;
    });
    if (wrong >= 0)
      throw new RangeError(
        `embedding: tokens that are whole numbers from 0 to ${known - 1} are required, got ${rows[wrong]! * of.scale} at example ${from + Math.floor(wrong / size)} of ${where}; widen the embedding, or number the tokens from 0`,
      );
  }
}
