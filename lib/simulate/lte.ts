import { needWhole } from "../data/options.ts";
import { disposeTree, type Rng, scoped, type Tree, tf } from "../engine/index.ts";
import { applyUpdates } from "../optim/optimizer.ts";
import type { Machine, Process } from "./clock.ts";
import { product } from "./parts/arrays.ts";
import { shardOf } from "./parts/course.ts";
import { disposeAll, type Layer } from "./parts/trainer.ts";
import { addTo } from "./parts/vectors.ts";
import { program } from "./program.ts";

/** A kernel's change of low rank: `[inputs, rank]` and `[rank, units]`. */
interface Factors {
  readonly down: Float32Array;
  readonly up: Float32Array;
}

/** What one machine trains: factors of the kernels, and the other tensors as they are. */
type Head = { readonly factors: readonly Factors[]; readonly rest: readonly Float32Array[] };

/**
 * LoRA-the-Explorer: a network is trained from nothing by changes of low rank on every machine, each on its own part of the batches, which are
 * merged into the weights now and then.
 *
 * Machine `m` trains `W + scale · Aₘ Bₘ` with W as it was at the last merge, `A` orthonormal times `√(i/rank)` for `i` inputs and `B` zero at first: a first
 * step is then in the mean one of plain SGD. After `every` steps
 * `W ← W + scale/M Σₘ Aₘ Bₘ`, and factors and optimizers begin anew. A kernel of `i` inputs and `u` units costs `4 · rank (i + u)` bytes on each way instead of
 * `4 i u`; biases and other tensors without a kernel's form are trained and averaged as they are. With one machine, a rank of all inputs, an update with
 * every merge, plain SGD and a scale of 1 it is plain training.
 *
 * Huh, Cheung, Bernstein, Isola and Agrawal 2024, arXiv:2402.16828; beginnings as in the authors' program (minyoungg/LTE).
 * Differs from the program: factors begin anew at a merge, where there they go on, and what they have given is taken out of W.
 *
 * Implements: P202 LTE
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.lte({ rank: 8, every: 10 }).spec.options; // { rank: 8, every: 10, scale: 1 }
 * ```
 */
export const lte = program(
  "lte",
  {
    /** The rank of the changes, at most the inputs of a kernel. */
    rank: 4,
    /** Steps between merges. */
    every: 8,
    /** What the changes are multiplied by. */
    scale: 1,
  },
  ({ rank, every, scale }) => {
    needWhole("lte", "rank", rank);
    needWhole("lte", "every", every);
    return ({ workers, clock, trainer, course, seconds, updated }) => {
      const { optimizer } = trainer.spec;
      const replicas = Array.from({ length: workers }, (_, worker) => trainer.replica(worker));
      const kernels = trainer.layers.filter(({ shape }) => shape.length > 1);
      const others = trainer.layers.filter(({ shape }) => shape.length <= 1);
      const base = replicas.map((replica) => replica.vector());
      const bytes =
        4 *
        (kernels.reduce((sum, layer) => sum + rankOf(layer) * (inputsOf(layer) + unitsOf(layer)), 0) +
          others.reduce((sum, { size }) => sum + size, 0));
      function rankOf(layer: Layer): number {
        return Math.min(rank, inputsOf(layer));
      }

      function fresh(machine: number, merge: number): Head {
        const draw = trainer.root.at("lte", machine, merge);
        return {
          factors: kernels.map((layer, i) => ({
            down: firstFactor(inputsOf(layer), rankOf(layer), draw.at(i)),
            up: new Float32Array(rankOf(layer) * unitsOf(layer)),
          })),
          rest: others.map(({ from, size }) => base[machine]!.slice(from, from + size)),
        };
      }
      /** Weights with some heads' changes, each as much as the scale says. */
      function withHeads(vector: Float32Array, heads: readonly Head[]): Float32Array {
        const out = vector.slice();
        for (const [i, layer] of kernels.entries()) {
          const [n, m] = [inputsOf(layer), unitsOf(layer)];
          for (const { factors } of heads) {
            const { down, up } = factors[i]!;
            const change = product(down, up, n, up.length / m, m);
            addTo(out.subarray(layer.from, layer.from + layer.size), change, scale / heads.length);
          }
        }
        for (const [i, { from, size }] of others.entries()) {
          out.fill(0, from, from + size);
          for (const { rest } of heads) addTo(out.subarray(from, from + size), rest[i]!, 1 / heads.length);
        }
        return out;
      }
      /** The gradient of what a machine trains, from that of the weights. */
      function slopes(gradient: Float32Array, { factors }: Head): Head {
        return {
          factors: kernels.map((layer, i) => {
            const [n, m] = [inputsOf(layer), unitsOf(layer)];
            const { down, up } = factors[i]!;
            const r = up.length / m;
            const own = gradient.subarray(layer.from, layer.from + layer.size);
            return {
              down: product(own, flipped(up, r, m), n, m, r).map((x) => x * scale),
              up: product(flipped(down, n, r), own, r, n, m).map((x) => x * scale),
            };
          }),
          rest: others.map(({ from, size }) => gradient.slice(from, from + size)),
        };
      }

      function* worker(me: Machine): Process {
        const own = replicas[me.index]!;
        let head = fresh(me.index, 0);
        let state: Tree = begun(head);
        for (let k = 0; k < course.updates; k++) {
          const pass = course.at(k);
          const part = shardOf(pass, me.index, workers);
          const rows = part?.batch.current ?? 0;
          const loss = yield* me.work(part === null ? 0 : seconds(me.index, rows, k), "step", () => {
            if (part === null) return 0;
            own.place(withHeads(base[me.index]!, [head]));
            const slope = own.gradient(part);
            const next = stepped(head, slopes(slope.gradient, head), state, pass.rate);
            [head, state] = [next.head, next.state];
            return slope.loss;
          });
          const merges = (k + 1) % every === 0 || k === course.updates - 1;
          if (merges) {
            for (let to = 0; to < workers; to++) if (to !== me.index) me.send(to, `head#${k}#${me.index}`, head, bytes);
            const heads: Head[] = [];
            for (let m = 0; m < workers; m++)
              heads[m] = m === me.index ? head : (yield* me.receive<Head>(`head#${k}#${m}`)).body;
            base[me.index] = withHeads(base[me.index]!, heads);
            head = fresh(me.index, k + 1);
            disposeTree(state);
            state = begun(head);
          }
          const now = merges ? base[me.index]! : withHeads(base[me.index]!, [head]);
          if (me.index === 0) updated(me, { update: k + 1, loss, vector: () => now });
        }
        disposeTree(state);
      }

      function begun(head: Head): Tree {
        const tensors = asTensors(head);
        const state = scoped(() => optimizer.init(tensors as unknown as Tree));
        disposeTree(tensors);
        return state;
      }
      function stepped(
        head: Head,
        slope: Head,
        state: Tree,
        rate: number,
      ): { readonly head: Head; readonly state: Tree } {
        const [at, down] = [asTensors(head), asTensors(slope)];
        const out = scoped(() => {
          const [moves, next] = optimizer.update(
            down as unknown as Tree,
            state,
            at as unknown as Tree,
            tf.scalar(rate),
          );
          return { at: applyUpdates(at, moves as unknown as typeof at), next };
        });
        const numbers = out.at.map((leaf) => Float32Array.from(leaf.dataSync()));
        disposeTree([at, down, out.at, state] as unknown as Tree, out.next);
        return {
          head: {
            factors: head.factors.map((_, i) => ({ down: numbers[2 * i]!, up: numbers[2 * i + 1]! })),
            rest: head.rest.map((_, i) => numbers[2 * head.factors.length + i]!),
          },
          state: out.next,
        };
      }

      for (let k = 0; k < workers; k++) clock.spawn(k, worker);
      return {
        end() {
          const out = replicas[0]!.vector();
          out.set(base[0]!.subarray(0, trainer.weights));
          return out;
        },
        dispose: () => disposeAll(replicas),
      };
    };
  },
);

/** What is trained, tensor after tensor. */
function asTensors({ factors, rest }: Head): tf.Tensor[] {
  return [...factors.flatMap(({ down, up }) => [down, up]), ...rest].map((numbers) => tf.tensor1d(numbers.slice()));
}

function unitsOf({ shape }: Layer): number {
  return shape.at(-1)!;
}

function inputsOf({ size, shape }: Layer): number {
  return size / shape.at(-1)!;
}

/** `[n, r]` with orthogonal columns of length `√(n/r)`, by Gram and Schmidt. */
export function firstFactor(n: number, r: number, rng: Rng): Float32Array {
  const length = Math.sqrt(n / r);
  const columns: Float64Array[] = [];
  for (let j = 0; j < r; j++) {
    const column = Float64Array.from(rng.at(j).fillNormal(new Float32Array(n)));
    for (let round = 0; round < 2; round++)
      for (const before of columns) {
        const along = column.reduce((sum, x, i) => sum + x * before[i]!, 0);
        for (let i = 0; i < n; i++) column[i]! -= along * before[i]!;
      }
    const had = Math.hypot(...column);
    columns.push(column.map((x) => x / had));
  }
  return Float32Array.from({ length: n * r }, (_, at) => length * columns[at % r]![Math.floor(at / r)]!);
}

/** A matrix turned, `[n, m]` to `[m, n]`. */
function flipped(a: Float32Array, n: number, m: number): Float32Array {
  return Float32Array.from({ length: n * m }, (_, at) => a[(at % n) * m + Math.floor(at / n)]!);
}
