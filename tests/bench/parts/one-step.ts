/** Studies of denoisers that draw in one step. */
import {
  consecutive,
  type Dataset,
  diffusion,
  distributionMatching,
  from,
  makeDataset,
  multiStudent,
  net,
  random,
  type Students,
  sample,
  table,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { denoiserOf, rowsOf } from "./drawing.ts";
import { apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;
const count = 16;

/** Points in the plane: each class is a few spots of its own. */
function spots(seed: number): Dataset<"vector"> {
  const rng = random(seed).at("spots");
  const centres = Array.from({ length: count }, (_, c) =>
    Array.from({ length: 3 }, (_, k) => [0, 1].map((j) => 1.6 * rng.at(c, k, j).uniform() - 0.8)),
  );
  const drawn = (perClass: number, name: string) => {
    const labels = Int32Array.from({ length: count * perClass }, (_, i) => i % count);
    const x = rng.at(name).fillNormal(new Float32Array(2 * labels.length), 0, 0.06);
    labels.forEach((c, i) => {
      const spot = centres[c]![Math.floor(i / count) % 3]!;
      x[2 * i] = x[2 * i]! + spot[0]!;
      x[2 * i + 1] = x[2 * i + 1]! + spot[1]!;
    });
    return table(x, labels, [2], 1);
  };
  return makeDataset({
    name: "spots",
    kind: "vector",
    classes: labelled.map(String),
    train: drawn(120, "train"),
    test: drawn(150, "test"),
    source: "a study",
  });
}
const labelled = Array.from({ length: count }, (_, c) => c);

const denoiser = (width: number) =>
  net()
    .conditions(16, { classes: count, steps: 200, predicts: "start", range: [-1, 1] })
    .dense(width)
    .modulate()
    .silu()
    .dense(width)
    .modulate()
    .silu()
    .dense(2);

/** The energy distance of drawn points from those of the data, a mean over the classes. */
function distance(drawn: Float32Array, data: Dataset<"vector">): number {
  const real = rowsOf(data.test);
  const ofClass = (rows: Float32Array, c: number): number[][] =>
    Array.from({ length: rows.length / 2 / count }, (_, i) => [
      rows[2 * (i * count + c)]!,
      rows[2 * (i * count + c) + 1]!,
    ]);
  const far = (a: number[][], b: number[][]): number =>
    a.reduce((sum, p) => sum + b.reduce((own, q) => own + Math.hypot(p[0]! - q[0]!, p[1]! - q[1]!), 0), 0) /
    (a.length * b.length);
  const each = labelled.map((c) => {
    const [a, b] = [ofClass(drawn, c), ofClass(real, c)];
    return 2 * far(a, b) - far(a, a) - far(b, b);
  });
  return each.reduce((a, b) => a + b) / count;
}

/** So many points of each class in turn. */
const asked = Array.from({ length: 150 * count }, (_, i) => i % count);
export const oneStep: Readonly<Record<string, () => Promise<Study>>> = {
  async P336() {
    const [width, steps, lr] = [12, 480, 4e-3];
    const found = { teacher: [], teacherInOne: [], single: [], longer: [], four: [] } as Record<string, number[]>;
    for (let seed = 0; seed < seeds; seed++) {
      const data = spots(seed);
      const teacher = await denoiserOf(data, denoiser(width), {
        by: diffusion({ looks: 0, dropLabels: 0 }),
        batch: 256,
        seed,
        steps: 600,
        lr: 3e-3,
      });
      const students = (parts: number, long: number): Promise<Students> =>
        multiStudent(consecutive(count, parts), (labels) =>
          denoiserOf(data, from(teacher), {
            by: distributionMatching({ teacher, labels, scoreSteps: 1, scoreRate: 4 }),
            batch: 256,
            seed,
            steps: long,
            lr,
          }),
        );
      found.teacher!.push(distance(rowsOf(sample(teacher, { labels: asked, steps: 50, seed: 1 })), data));
      found.teacherInOne!.push(distance(rowsOf(sample(teacher, { labels: asked, steps: 1, seed: 1 })), data));
      for (const [name, parts, long] of [
        ["single", 1, steps],
        ["longer", 1, 4 * steps],
        ["four", 4, steps],
      ] as const) {
        const made = await students(parts, long);
        found[name]!.push(distance(rowsOf(made.draw(asked, { seed: 1 })), data));
        made.dispose();
        console.log(seed, JSON.stringify(Object.fromEntries(Object.entries(found).map(([k, v]) => [k, v.at(-1)]))));
      }
      teacher.dispose();
    }
    const { teacher, teacherInOne, single, longer, four } = found as Record<string, number[]>;
    return {
      headline: "Four students, each for a part of the classes, draw in one step closer to the data than one for all",
      outcome: outcomeOf(apart(longer!, four!)),
      figures: {
        "distance, teacher in 50 steps": band(teacher!),
        "distance, teacher in one step": band(teacherInOne!),
        "distance, one student, as many steps as each of four": band(single!),
        "distance, one student, as many steps as four together": band(longer!),
        "distance, four students": band(four!),
      },
      seeds,
    };
  },
};
