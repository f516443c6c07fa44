/** A memory of codes: some bytes for each example, and its class. */
import type { Rng } from "../../engine/index.ts";
import type { Forgotten } from "./forgetting.ts";

/** `size` of `capacity` places are filled, with `width` bytes each. */
export interface CodeMemory {
  readonly capacity: number;
  readonly width: number;
  size: number;
  readonly rows: Uint8Array;
  readonly labels: Int32Array;
}

/** An empty memory. */
export function emptyCodes(capacity: number, width: number): CodeMemory {
  return { capacity, width, size: 0, rows: new Uint8Array(capacity * width), labels: new Int32Array(capacity) };
}

/** A memory with another example; when it is full one at random of the class that has most, this one counted, leaves it. */
export function keepCode(memory: CodeMemory, row: Uint8Array, label: number, rng: Rng): void {
  const { capacity, labels, width } = memory;
  let place = memory.size;
  if (place === capacity) {
    const counts = new Map<number, number>([[label, 1]]);
    for (const own of labels) counts.set(own, (counts.get(own) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const [largest] = [...counts].find(([, count]) => count === most)!;
    const places = [...labels.keys()].filter((i) => labels[i] === largest);
    const at = rng.int(places.length + Number(largest === label));
    if (at === places.length) return;
    place = places[at]!;
  } else memory.size++;
  memory.rows.set(row, place * width);
  labels[place] = label;
}

/** Places drawn so that each class has as many as the others, to one: round after round one of each, at random; then all are mixed. */
export function balancedDraw({ size, labels }: CodeMemory, count: number, rng: Rng): Uint32Array {
  const places = new Map<number, number[]>();
  for (let i = 0; i < size; i++) {
    const same = places.get(labels[i]!);
    if (same === undefined) places.set(labels[i]!, [i]);
    else same.push(i);
  }
  const own = [...places.values()];
  if (own.length === 0) return new Uint32Array(0);
  const drawn = Uint32Array.from({ length: count }, (_, k) => {
    const from = own[k % own.length]!;
    return from[rng.int(from.length)]!;
  });
  return rng.permutation(count).map((i) => drawn[i]!);
}

/** A memory without the examples of some classes. */
export function codesWithout(memory: CodeMemory, classes: Forgotten): CodeMemory {
  const next = emptyCodes(memory.capacity, memory.width);
  for (let i = 0; i < memory.size; i++) {
    if (classes.has(memory.labels[i]!)) continue;
    next.rows.set(memory.rows.subarray(i * memory.width, (i + 1) * memory.width), next.size * memory.width);
    next.labels[next.size++] = memory.labels[i]!;
  }
  return next;
}
