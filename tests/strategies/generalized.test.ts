import { expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { gather } from "../../lib/data/dataset.ts";
import { decode, tf } from "../../lib/engine/index.ts";
import { acil } from "../../lib/strategies/index.ts";
import { generalized } from "../../lib/streams/operators/generalized.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { open } from "../../lib/train/session.ts";
import { close, matrix, solved, transposed } from "./by-hand.ts";
import { advance, spec } from "./support.ts";

test("over experiences in which old and new classes mix, acil's weights are those of one regression on all that came", () => {
  const [units, ridge] = [6, 0.4];
  const data = blobs({ classes: 5, dimensions: 3, perClass: 20, testPerClass: 4 });
  const stream = generalized({ experiences: 6, examples: 15, classes: 3 })(classes(data)) as unknown as Stream;
  const session = open(spec(stream, [acil({ of: "inputs", units, ridge })]), 0, "test");
  const events = advance(session);
  const { tensors } = (decode(session.save()) as unknown as Saved).states.acil;
  session.dispose();
  const projection = matrix(tensors.projection);
  const arrived = [...stream].map(({ train }) => train);
  const sets = arrived.map(({ labels }) => new Set(labels));
  // the stream is what it should be: a class comes back, and some experience has both an old and a new one
  const old = sets.map((set, i) => [...set].filter((c) => sets.slice(0, i).some((before) => before.has(c))).length);
  expect(sets.some((set, i) => old[i]! > 0 && old[i]! < set.size)).toBe(true);

  const rows = arrived.flatMap((train) => {
    const flat = gather(train, Uint32Array.from(train.labels.keys()));
    return [...train.labels].map((label, i) => ({ label, x: [...flat.slice(i * 3, i * 3 + 3)] }));
  });
  const hidden = rows.map(({ x, label }) => ({
    label,
    h: projection[0]!.map((_, u) =>
      Math.max(
        0,
        x.reduce((sum, v, j) => sum + v * projection[j]![u]!, 0),
      ),
    ),
  }));
  const gram = Array.from({ length: units }, (_, a) =>
    Array.from({ length: units }, (_, b) => hidden.reduce((sum, { h }) => sum + h[a]! * h[b]!, a === b ? ridge : 0)),
  );
  const kernel = [0, 1, 2, 3, 4].map((c) =>
    solved(
      gram,
      gram.map((_, a) => hidden.reduce((sum, { h, label }) => sum + (label === c ? h[a]! : 0), 0)),
    ),
  );
  close(matrix(tensors.kernel).flat(), transposed(kernel).flat(), 3);
  expect(events.filter(({ type }) => type === "evaluated").length).toBeGreaterThan(0);
  tf.dispose(Object.values(tensors));
});

interface Saved {
  readonly states: {
    readonly acil: { readonly tensors: { readonly projection: tf.Tensor; readonly kernel: tf.Tensor } };
  };
}
