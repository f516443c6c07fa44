/** What is to happen when: a binary heap by time, and by the order of asking among equal times. */

interface Event {
  readonly time: number;
  readonly order: number;
  /** What it gives is waited for where it is a promise. */
  readonly happens: () => unknown;
}

/** Events in the order of their times. */
export interface EventQueue {
  at(time: number, happens: () => unknown): void;
  /** Takes the first; undefined where there is none. */
  next(): Event | undefined;
}

/** An empty queue. */
export function eventQueue(): EventQueue {
  const heap: Event[] = [];
  let asked = 0;
  const before = (a: number, b: number): boolean => {
    const [x, y] = [heap[a]!, heap[b]!];
    return x.time < y.time || (x.time === y.time && x.order < y.order);
  };
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  };
  return {
    at(time, happens) {
      let k = heap.push({ time, order: asked++, happens }) - 1;
      for (let up = (k - 1) >> 1; k > 0 && before(k, up); k = up, up = (k - 1) >> 1) swap(k, up);
    },
    next() {
      const first = heap[0];
      const last = heap.pop();
      if (first === undefined || last === undefined || heap.length === 0) return first;
      heap[0] = last;
      for (let k = 0; ; ) {
        const [left, right] = [2 * k + 1, 2 * k + 2];
        let least = k;
        if (left < heap.length && before(left, least)) least = left;
        if (right < heap.length && before(right, least)) least = right;
        if (least === k) return first;
        swap(k, least);
        k = least;
      }
    },
  };
}
