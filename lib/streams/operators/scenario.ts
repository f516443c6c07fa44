/** Decides what a label means and whether the learner is told the task: the three scenarios. */

import { withDefaults } from "../../data/options.ts";
import { operatorByCase } from "../operator.ts";
import { renumbered } from "../parts/renumbered.ts";
import { retabled } from "../parts/tables.ts";
import { columnsMoved, needTarget } from "../parts/target.ts";
import type { Changed, Stream } from "../stream.ts";

/** What `scenario` can be told. */
export interface ScenarioOptions {
  /**
   * For "class" alone: which columns compete. "single" (default): all from the start. "growing": those seen so far; columns are then
   * numbered in the order in which their classes arrive.
   */
  readonly head?: "single" | "growing";
}

/**
 * Sets the scenario: what the learner must tell apart, and with which help.
 *
 * - `"class"`: all classes; the task is never told. Labels stay; the head is single, or growing.
 * - `"task"`: the classes of one task, which is told in training and at test time. The head is multi. Labels stay where no two tasks
 *   share a class; else every task has its own columns: label `l` of task `t` becomes `t·C + l`, C being the number of classes.
 * - `"domain"`: which of its task's classes it is; the task is not told. A label becomes its position among its task's classes, in
 *   ascending order; the head is single, with as many columns as the largest task has classes.
 *
 * Where numbers, several labels or tokens are asked for, their columns are those of classes, and targets follow them: with `"task"` every
 * task has outputs of its own.
 *
 * G. van de Ven, T. Tuytelaars, A. Tolias, Three types of incremental learning, Nature Machine Intelligence 2022.
 *
 * Implements: P273 Three CL scenarios
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { split, scenario } = operators;
 * const stream = scenario("domain")(split(5)(classes(digits())));
 * stream.classes.length; // 2
 * ```
 */
export const scenario = operatorByCase(
  "scenario",
  { class: { drops: ["task"] }, task: { adds: ["task"] }, domain: { drops: ["task"] } },
  (word, options: ScenarioOptions = {}) => {
    const { head } = withDefaults<Required<ScenarioOptions>>("scenario", options, { head: "single" });
    if (head !== "single" && word !== "class")
      throw new TypeError(`scenario: the option head goes with "class", got it with "${word}"; leave it out`);
    if (word === "task") return ownColumns;
    if (word === "domain") return positions;
    return head === "growing" ? growing : (): Changed => ({ head: "single" });
  },
);

function ownColumns(stream: Stream): Changed {
  const endless = stream.tasks === Infinity;
  if (!endless && !shared(stream)) return { head: "multi" };
  if (endless) needTarget("scenario", stream, ["class"], "; slice it first");
  const width = stream.classes.length;
  return {
    ...retabled(
      stream,
      (of, { task }) => columnsMoved(of, stream.target, (column) => task * width + column, stream.tasks * width),
      (classes, task) => classes.map((column) => task * width + column),
    ),
    head: "multi",
    classes: endless
      ? []
      : Array.from(
          { length: stream.tasks * width },
          (_, i) => `${Math.floor(i / width)}: ${stream.classes[i % width]}`,
        ),
  };
}

/** Whether two tasks have a class in common. */
function shared(stream: Stream): boolean {
  const seen = new Set<number>();
  for (let task = 0; task < stream.tasks; task++) {
    for (const column of stream.classesOf(task)) {
      if (seen.has(column)) return true;
      seen.add(column);
    }
  }
  return false;
}

function positions(stream: Stream): Changed {
  const named: Set<string>[] = [];
  const seen = new Set<readonly number[]>();
  for (let task = 0; task < (stream.tasks === Infinity ? 1 : stream.tasks); task++) {
    const classes = stream.classesOf(task);
    if (seen.has(classes)) continue;
    seen.add(classes);
    classes.forEach((column, i) => {
      (named[i] ??= new Set()).add(stream.classes[column] ?? String(column));
    });
  }
  return {
    ...retabled(
      stream,
      (of, { task }) => {
        const place = new Map(stream.classesOf(task).map((column, i) => [column, i]));
        return columnsMoved(of, stream.target, (column) => place.get(column), named.length);
      },
      (classes) => classes.map((_, i) => i),
    ),
    head: "single",
    classes: named.map((names, i) => (names.size > 5 ? `class ${i}` : [...names].join("/"))),
  };
}

function growing(stream: Stream): Changed {
  needTarget("scenario", stream, ["class"], '; leave out { head: "growing" }');
  if (stream.length === Infinity) return { head: "growing" };
  const arrival = new Set<number>();
  for (let i = 0; i < stream.length; i++) for (const c of stream.classesOf(stream.taskOf(i))) arrival.add(c);
  const inOrder = [...arrival];
  if (inOrder.every((column, i) => column === i)) return { head: "growing" };
  for (let column = 0; column < stream.classes.length; column++) if (!arrival.has(column)) inOrder.push(column);
  return { ...renumbered(stream, inOrder), head: "growing" };
}
