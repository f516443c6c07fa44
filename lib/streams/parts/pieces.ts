/** Cuts every experience of a stream into several, without making them. */
import type { Changed, Experience, Stream } from "../stream.ts";

/**
 * The parts of a stream whose experience `i` is cut into `piecesOf(i)` pieces, which `cut` makes of it. Tasks stay those of the whole
 * experiences. How many pieces there are is worked out as far as it is asked for.
 */
export function inPieces(
  name: string,
  stream: Stream,
  piecesOf: (index: number) => number,
  cut: (e: Experience, piece: number) => Experience,
  countOf: (index: number, piece: number) => number,
): Changed {
  const starts = [0]; // of the pieces of experience i
  const upTo = (experience: number): number => {
    while (starts.length <= experience) starts.push(starts.at(-1)! + piecesOf(starts.length - 1));
    return starts[experience]!;
  };
  const place = (index: number): readonly [experience: number, piece: number] => {
    let known = starts.length - 1;
    while (starts[known]! <= index && known < stream.length) upTo(++known);
    let [low, high] = [0, known];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= index) low = middle;
      else high = middle;
    }
    return [low, index - starts[low]!];
  };
  const length = stream.length === Infinity ? Infinity : upTo(stream.length);
  if (length === 0) throw new RangeError(`${name}: at least one example is required, got none`);
  let last: Experience | undefined; // pieces of one experience are mostly asked for one after the other
  return {
    length,
    tasks: stream.tasks,
    countOf: (index) => countOf(...place(index)),
    taskOf: (index) => stream.taskOf(place(index)[0]),
    classesOf: (task) => stream.classesOf(task),
    test: (task) => stream.test(task),
    experience(index) {
      const [whole, piece] = place(index);
      if (last?.index !== whole) last = stream.experience(whole);
      return { ...cut(last, piece), index };
    },
  };
}
