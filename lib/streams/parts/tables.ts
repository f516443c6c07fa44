/** Passes the tables of a stream through a function, experience by experience. */
import type { Examples } from "../../data/dataset.ts";
import type { Changed, Experience, Stream } from "../stream.ts";

/** Which table of which experience or task. */
export interface Place {
  readonly part: "train" | "validation" | "test";
  /** The experience's position; −1 for the test examples of a task. */
  readonly index: number;
  readonly task: number;
}

/** The three tables of an experience passed through a function. */
export function withTables(e: Experience, f: (of: Examples, place: Place) => Examples): Experience {
  const place = { index: e.index, task: e.task };
  return {
    ...e,
    train: f(e.train, { ...place, part: "train" }),
    validation: e.validation && f(e.validation, { ...place, part: "validation" }),
    test: f(e.test, { part: "test", index: -1, task: e.task }),
  };
}

/** The parts of a stream that say which tasks there are, unchanged: for what changes experiences one by one. */
export function sameTasks(stream: Stream): Pick<Stream, "tasks" | "countOf" | "taskOf" | "classesOf" | "test"> {
  return {
    tasks: stream.tasks,
    countOf: (index) => stream.countOf(index),
    taskOf: (index) => stream.taskOf(index),
    classesOf: (task) => stream.classesOf(task),
    test: (task) => stream.test(task),
  };
}

/**
 * The parts of a stream that change when every table is passed through `f`, and the columns of every task through `columns`.
 * `count` is the number of training examples afterwards; what it was before unless it is given.
 */
export function retabled(
  stream: Stream,
  f: (of: Examples, place: Place) => Examples,
  columns: (classes: readonly number[], task: number) => readonly number[] = (classes) => classes,
  count: (before: number) => number = (before) => before,
): Changed {
  return {
    ...sameTasks(stream),
    countOf: (index) => count(stream.countOf(index)),
    classesOf: (task) => columns(stream.classesOf(task), task),
    experience(index) {
      const e = stream.experience(index);
      return { ...withTables(e, f), classes: columns(e.classes, e.task) };
    },
    test(task) {
      const { examples, classes } = stream.test(task);
      return { examples: f(examples, { part: "test", index: -1, task }), classes: columns(classes, task) };
    },
  };
}

/**
 * The parts of a stream that change when the training examples alone are passed through `f`. `count` says how many they are afterwards,
 * where that can be told without making them.
 */
export function retrained(
  stream: Stream,
  f: (train: Examples, e: Experience) => Examples,
  count?: (before: number, index: number) => number,
): Changed {
  const { countOf, ...rest } = sameTasks(stream);
  return {
    ...rest,
    ...(count && { countOf: (index: number) => count(countOf(index), index) }),
    experience(index) {
      const e = stream.experience(index);
      return { ...e, train: f(e.train, e) };
    },
  };
}

/** The labels of a table passed through a function; −1, which means none, stays. */
export function relabelOf(of: Examples, f: (label: number) => number): Int32Array {
  const labels = new Int32Array(of.length);
  for (let i = 0; i < labels.length; i++) labels[i] = of.labels[i]! < 0 ? -1 : f(of.labels[i]!);
  return labels;
}
