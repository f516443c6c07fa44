/** Several denoisers that draw the classes among them. */
import { type Examples, gather, sizeOf, table } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import { requireDenoiser } from "./parts/conditioned.ts";
import { sample } from "./sample.ts";
import type { TrainedNetwork } from "./trained.ts";

/** A student and the classes that it draws. */
export interface Student {
  readonly labels: readonly number[];
  readonly network: TrainedNetwork;
}

/** Students that draw in one step each. */
export interface Students {
  readonly students: readonly Student[];
  /** The student of a class; throws where there is none. */
  of(label: number): TrainedNetwork;
  /** An example of each label in one step, in their order, each by its own student. The seed of the noise: default 0. */
  draw(labels: readonly number[], options?: { readonly seed?: number }): Examples;
  /** Frees the students. */
  dispose(): void;
}

/**
 * Several one-step students of a denoiser that draws in many steps: each learns a part of the classes, all learn by themselves, and each example is drawn by the student of its class.
 *
 * `parts` are the labels of each student; `consecutive(10, 4)` shares out so many classes. `learn` makes the student of some labels and is called for one after the other: most
 * begin as the teacher and learn by `distributionMatching({ teacher, labels })`. Drawing costs one pass through one student, however many there are.
 *
 * Implements: P336 MSD multi-student distillation
 * Song et al. 2024, "Multi-student diffusion distillation for better one-step generators", arXiv:2410.23274. Written from its abstract and summaries, and from the program of DMD2.
 * Differs from the paper: students learn by distribution matching alone, without the adversarial stage; there is no teacher score matching for students that are smaller than the teacher,
 * which may begin by `diffusion` on the data.
 *
 * @throws RangeError for a part without labels, or a label that is in two; TypeError for a student that is no denoiser.
 *
 * @example
 * ```ts
 * import { blobs, classes, consecutive, diffusion, distributionMatching, from, multiStudent, net } from "thalweg";
 * const quiet = { quiet: true, record: false } as const;
 * const stream = classes(blobs());
 * const model = net().conditions(8, { classes: 4, predicts: "start", range: [-2, 2] }).dense(16).modulate().relu().dense(2);
 * const teacher = await (await stream.learn(model).by(diffusion()).train({ batch: 16, steps: 4 }).run(quiet)).network();
 * const many = await multiStudent(consecutive(4, 2), async (labels) => {
 *   const study = stream.learn(from(teacher)).by(distributionMatching({ teacher, labels })).train({ batch: 16, steps: 4 });
 *   return (await study.run(quiet)).network();
 * });
 * many.draw([3, 0, 3]).shape; // [2]
 * ```
 */
export async function multiStudent(
  parts: readonly (readonly number[])[],
  learn: (labels: readonly number[], student: number) => TrainedNetwork | Promise<TrainedNetwork>,
): Promise<Students> {
  const where = "multiStudent";
  const owner = new Map<number, number>();
  for (const [i, labels] of parts.entries()) {
    if (labels.length === 0) throw new RangeError(`${where}: labels for each student are required, got none for ${i}`);
    for (const label of labels) {
      if (owner.has(label))
        throw new RangeError(
          `${where}: one student for a label is required, got ${owner.get(label)} and ${i} for ${label}`,
        );
      owner.set(label, i);
    }
  }
  if (parts.length === 0) throw new RangeError(`${where}: a student or more is required, got none`);
  const students: Student[] = [];
  for (const [i, labels] of parts.entries()) {
    const network = await learn(labels, i);
    requireDenoiser(where, network.model, network.input);
    students.push({ labels: [...labels], network });
  }
  const at = (label: number): number => {
    const found = owner.get(label);
    if (found !== undefined) return found;
    throw new RangeError(
      `${where}: a label that a student draws is required, got ${label}; there are ${[...owner.keys()]}`,
    );
  };
  return {
    students,
    of: (label) => students[at(label)]!.network,
    draw(labels, { seed = 0 } = {}) {
      const owners = labels.map(at);
      const { input } = students[0]!.network;
      const size = sizeOf(input);
      const out = new Float32Array(labels.length * size);
      for (const [i, { network }] of students.entries()) {
        const rows = owners.flatMap((own, row) => (own === i ? [row] : []));
        if (rows.length === 0) continue;
        const asked = rows.map((row) => labels[row]!);
        const made = sample(network, { labels: asked, steps: 1, seed: seed * students.length + i });
        const numbers = gather(
          made,
          Uint32Array.from(rows, (_, k) => k),
        );
        rows.forEach((row, k) => {
          out.set(numbers.subarray(k * size, (k + 1) * size), row * size);
        });
      }
      return table(out, Int32Array.from(labels), input, 1);
    },
    dispose() {
      for (const { network } of students) network.dispose();
    },
  };
}

/**
 * So many classes shared out among students, in order, as evenly as may be: the first have one more where it does not come out even.
 *
 * @throws RangeError for fewer classes than students.
 *
 * @example
 * ```ts
 * import { consecutive } from "thalweg";
 * consecutive(5, 2); // [[0, 1, 2], [3, 4]]
 * ```
 */
export function consecutive(classes: number, students: number): number[][] {
  needWhole("consecutive", "students", students);
  needWhole("consecutive", "classes", classes, students);
  const from = (i: number): number => Math.ceil((i * classes) / students);
  return Array.from({ length: students }, (_, i) =>
    Array.from({ length: from(i + 1) - from(i) }, (_, k) => from(i) + k),
  );
}
