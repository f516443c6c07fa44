import type { Json } from "../../data/dataset.ts";
import * as rules from "../../merge/index.ts";
import { combined, type Held, type MergeFactory } from "../../merge/merging.ts";
import { grown, type Place, placesOf, plus, type Vector, vectorOf, withVector } from "../../merge/parts/vectors.ts";
import type { Weights } from "../../models/network.ts";
import { type Context, requireOneOf, strategy } from "../strategy.ts";

interface Memory {
  readonly places: readonly Place[];
  /** The weights before all experiences. */
  readonly base: Vector;
  /** What the rule holds, or all changes where it needs them all. */
  readonly held: Held | null;
  readonly changes: readonly Vector[];
  /** The weights as the last experience left them, before they were merged. */
  readonly trained: Vector | null;
  readonly weights?: Weights;
  readonly restart?: boolean;
}

/** The rules that have no data of their own. */
const known = Object.values(rules as object).filter(
  (rule) => typeof rule === "function" && "how" in rule,
) as readonly MergeFactory<{ [name: string]: Json }>[];

/**
 * Continual merging: every experience is trained, and then what all experiences have changed is merged by a rule of `merge`.
 *
 * The network that is evaluated is the merged one. Training begins where the last experience's training ended (`from: "trained"`, as for MagMax),
 * at the weights before all experiences ("base", as for OPCM), or at the merged ones ("merged"). Rules that take one network after the other
 * (average, taskArithmetic, magMax, opcm) hold the same after many experiences as after two; others hold every change. Running statistics are
 * those of the last experience. Columns of a head that grew begin in the base as they begin in the network.
 *
 * Marczak et al. 2024, arXiv:2407.06322, algorithm 1; Tang et al. 2025, arXiv:2501.09522, algorithm 1.
 *
 * @example
 * ```ts
 * import { classes, digits, merge, mergeAfter, mlp } from "thalweg";
 * const study = classes(digits()).split(5).learn(mlp()).by(mergeAfter(merge.opcm()));
 * study.name; // "mergeAfter"
 * mergeAfter({ ...merge.magMax({ scale: 0.8 }), from: "trained" }).spec.options;
 * // { rule: "magMax", options: { scale: 0.8 }, from: "trained" }
 * ```
 */
export const mergeAfter = strategy(
  "mergeAfter",
  {
    /** The rule's name and its options: what `merge.opcm({ … })` gives. */
    rule: "average",
    options: {} as { readonly [name: string]: Json },
    /** Where an experience's training begins. */
    from: "trained" as "trained" | "base" | "merged",
  },
  ({ rule, options, from }) => {
    requireOneOf("mergeAfter", "from", from, ["trained", "base", "merged"]);
    const found = known.find(({ merging }) => merging === rule);
    if (found === undefined || found.how.exactly !== undefined)
      throw new TypeError(
        `mergeAfter: rule must be one of merge.${known.flatMap(({ merging, how }) => (how.exactly === undefined ? [merging] : [])).join(", merge.")}, got "${rule}"`,
      );
    const { how } = found;
    const own = found(options).options as { [name: string]: Json };

    return {
      tokens: true,
      init: ({ weights }: Context): Memory => {
        const places = placesOf("mergeAfter", weights);
        return { places, base: vectorOf(weights, places), held: null, changes: [], trained: null };
      },
      beforeExperience(state: Memory, _experience, { weights }): Memory {
        const places = placesOf("mergeAfter", weights);
        const now = vectorOf(weights, places);
        const same = places.every(({ size }, i) => size === state.places[i]!.size);
        const wider = (vector: Vector, fill?: Vector): Vector =>
          same ? vector : grown(vector, state.places, places, fill);
        const next: Memory = {
          places,
          base: wider(state.base, now),
          held:
            state.held === null
              ? null
              : (Object.fromEntries(
                  Object.entries(state.held).map(([name, part]) => [
                    name,
                    typeof part === "number" ? part : wider(part),
                  ]),
                ) as Held),
          changes: state.changes.map((change) => wider(change)),
          trained: state.trained === null ? null : wider(state.trained, now),
        };
        const start = from === "base" ? next.base : from === "trained" ? next.trained : null;
        if (start === null || state.trained === null) return next;
        return { ...next, weights: withVector(weights, places, start), restart: true };
      },
      afterExperience(state: Memory, _experience, { weights, rng, experience }): Memory {
        const { places, base } = state;
        const trained = vectorOf(weights, places);
        const change = plus(trained, base, -1);
        const given = { options: own as never, places, rng: rng.at("merge", experience) };
        const held = how.next === undefined ? null : how.next(state.held, change, given);
        const changes = held === null ? [...state.changes, change] : [];
        const merged = held?.merged ?? combined(how, changes, given);
        return { places, base, held, changes, trained, weights: withVector(weights, places, plus(base, merged)) };
      },
    };
  },
);
