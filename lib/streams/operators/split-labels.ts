/** Splits examples with several classes by what of them is told. */
import { type Examples, gatherTargets, relabelled, select } from "../../data/dataset.ts";
import { operator } from "../operator.ts";
import { countOf, type Groups, groupsOf } from "../parts/groups.ts";
import { type Place, withTables } from "../parts/tables.ts";
import type { Changed, Experience } from "../stream.ts";

/**
 * Splits each experience of examples with several classes by these: an example comes in every experience that has a class of its, and there only
 * the classes of that experience are told.
 *
 * Groups are given as for `split`. The targets of training and validation examples are 0 in the columns of all other classes, as where nobody has
 * annotated them; those of test examples are complete. The label of an example, by which other operators choose, is the first of the experience's
 * classes that it has. It is the stream of multi-label class-incremental learning: De Min et al. 2024, arXiv:2405.15633, section 3; Dong et al.
 * 2023, "Knowledge restore and transfer for multi-label class-incremental learning", arXiv:2302.13334, section 3.1.
 *
 * @throws TypeError for examples of one class each, which `split` serves.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const whole = operators.multiLabel({ labels: 3 })(classes(digits()));
 * operators.splitLabels(5)(whole).experience(4).classes; // [8, 9]
 * ```
 */
export const splitLabels = operator(
  "splitLabels",
  (groups: Groups) => (stream) => {
    const counted = countOf("splitLabels", groups, stream);
    const groupOf = (task: number): readonly number[] =>
      groupsOf("splitLabels", groups, stream.classesOf(Math.floor(task / counted)), stream)[task % counted]!;
    const taskOf = (index: number) => stream.taskOf(Math.floor(index / counted)) * counted + (index % counted);
    if (stream.tasks !== Infinity) for (let task = 0; task < stream.tasks; task++) groupOf(task * counted);
    return {
      length: stream.length * counted,
      tasks: stream.tasks * counted,
      taskOf,
      classesOf: groupOf,
      experience(index): Experience {
        const e = stream.experience(Math.floor(index / counted));
        const task = taskOf(index);
        const classes = groupOf(task);
        const told = (of: Examples, { part }: Place): Examples => having(of, classes, part !== "test");
        return { ...withTables(e, told), index, task, classes };
      },
      test(task) {
        const classes = groupOf(task);
        return { examples: having(stream.test(Math.floor(task / counted)).examples, classes, false), classes };
      },
    } satisfies Changed;
  },
  { needs: ["labels", "boundary"], targets: ["labels"] },
);

/** The examples that have one of some classes; with `hide` no other is in their targets. */
function having(of: Examples, classes: readonly number[], hide: boolean): Examples {
  const all = gatherTargets(
    of,
    Uint32Array.from({ length: of.length }, (_, i) => i),
  );
  const width = of.targets!.width;
  const first = (row: number): number | undefined => classes.find((column) => all[row * width + column]! > 0);
  const rows = Uint32Array.from([...of.labels.keys()].filter((row) => first(row) !== undefined));
  const chosen = relabelled(
    select(of, rows),
    Int32Array.from(rows, (row) => first(row)!),
  );
  if (!hide) return chosen;
  const { read } = chosen.targets!;
  const shut = Array.from({ length: width }, (_, column) => column).filter((column) => !classes.includes(column));
  return {
    ...chosen,
    targets: {
      width,
      read(at, out, offset = 0) {
        read(at, out, offset);
        for (let i = 0; i < at.length; i++) for (const column of shut) out[offset + i * width + column] = 0;
      },
    },
  };
}
