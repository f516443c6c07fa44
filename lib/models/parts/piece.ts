/** Sequences that go through a model piece by piece. */
import type { tf } from "../../engine/index.ts";
import type { Layer } from "../layer.ts";
import type { ModelParts, Params, Piece } from "../model.ts";
import type { TrainedNetwork } from "../trained.ts";

/** What the layers of a model carry from one piece to the next, in the order in which they are met. */
export type States = readonly (readonly tf.Tensor[])[];

/**
 * What `run` gives in a mode in which the layers go on from the states of the piece before, and the states after. Without states it is the first
 * piece.
 */
export function goingOn(
  run: (piece: Piece) => tf.Tensor,
  states: States | null,
  keep: tf.Tensor,
  context: number,
): readonly [tf.Tensor, States] {
  const next: (readonly tf.Tensor[])[] = [];
  const y = run({
    context,
    carry(layer, x, params, mode, remembered) {
      const [given, after] = layer.recurs!(x, params, mode, states?.[next.length] ?? null, keep, remembered);
      next.push(after);
      return given;
    },
  });
  return [y, next];
}

/**
 * Throws unless every layer of a trained network treats the places of a sequence by themselves or carries a state along them, and no adapter or
 * strategy stands between. Gives the most places that the layers know.
 */
export function requirePlaceByPlace(where: string, { model, weights, parts }: TrainedNetwork): number {
  const instead = (got: string): TypeError =>
    new TypeError(
      `${where}: layers that treat each place by itself or carry a state along the sequence are required, got ${got}; take predict, which sees the whole sequence`,
    );
  const adapter = (model.adapters ?? []).find(({ adapter }) => adapter.spec.name === "prompt");
  if (adapter !== undefined) throw instead(`the adapter ${adapter.name}, which puts places before`);
  if (parts.predicting !== undefined)
    throw instead(`strategies that predict (${parts.predicting.strategies.map(({ name }) => name).join(", ")})`);
  let reach = Number.POSITIVE_INFINITY;
  const visit = ({ stack, names, spec }: ModelParts, params: Params, within: string): void => {
    if (stack === undefined) throw instead(`the model ${spec.name}, which does not name its layers`);
    stack.forEach((layer: Layer, i) => {
      const own = (params[names![i]!] ?? {}) as Params;
      const path = `${within}${names![i]}`;
      for (const { name, model } of layer.parts ?? [])
        visit(model, name === "" ? own : ((own[name] ?? {}) as Params), `${path}/`);
      if (layer.parts === undefined && layer.recurs === undefined && !layer.byPlace)
        throw instead(`${layer.name} at ${path}`);
      reach = Math.min(reach, layer.reach?.(own) ?? reach);
    });
  };
  visit(model, weights.model, "");
  return reach;
}
