/** Some experiences of a stream, in some order. */
import type { Changed, Stream } from "../stream.ts";

/** The parts of a stream of the experiences `at` of another; tasks are numbered anew, as they are met. */
export function picked(stream: Stream, at: ArrayLike<number>): Changed {
  const tasks: number[] = [];
  const place = new Map<number, number>();
  const taskAt = new Uint32Array(at.length);
  for (let i = 0; i < at.length; i++) {
    const task = stream.taskOf(at[i]!);
    if (!place.has(task)) {
      place.set(task, tasks.length);
      tasks.push(task);
    }
    taskAt[i] = place.get(task)!;
  }
  return {
    length: at.length,
    tasks: tasks.length,
    countOf: (index) => stream.countOf(at[index]!),
    taskOf: (index) => taskAt[index]!,
    classesOf: (task) => stream.classesOf(tasks[task]!),
    test: (task) => stream.test(tasks[task]!),
    experience: (index) => ({ ...stream.experience(at[index]!), index, task: taskAt[index]! }),
  };
}
