/** Collective operations out of messages between workers. */
import type { Machine, Process } from "../clock.ts";
import { addTo } from "./vectors.ts";

/**
 * The sum of the workers' vectors at every worker, around a ring: each sends 2(W − 1) pieces of 1/W of the vector (Patarasuk and Yuan 2009,
 * section 3). What a worker gives is taken over.
 */
export function* ringSum(me: Machine, workers: number, vector: Float32Array, tag: string): Process<Float32Array> {
  const [next, own] = [(me.index + 1) % workers, me.index];
  const piece = (k: number): Float32Array => {
    const at = ((k % workers) + workers) % workers;
    return vector.subarray(
      Math.floor((at * vector.length) / workers),
      Math.floor(((at + 1) * vector.length) / workers),
    );
  };
  for (let round = 0; round < workers - 1; round++) {
    const out = piece(own - round);
    me.send(next, tag, out.slice(), 4 * out.length);
    addTo(piece(own - round - 1), (yield* me.receive<Float32Array>(tag)).body);
  }
  for (let round = 0; round < workers - 1; round++) {
    const out = piece(own + 1 - round);
    me.send(next, tag, out.slice(), 4 * out.length);
    piece(own - round).set((yield* me.receive<Float32Array>(tag)).body);
  }
  return vector;
}
