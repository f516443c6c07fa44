/** The compiled functions of an experiment, which runs with several seeds may share. */
import { type Network, network } from "../../models/network.ts";
import type { Stem } from "../../models/parts/stem.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { type Evaluator, evaluator } from "../evaluate.ts";
import type { RunSpec } from "../spec.ts";
import { type TrainStep, trainStep } from "../step.ts";
import { stemFor } from "./known.ts";
import { fitted, limited, requireShown } from "./trained.ts";

/** What training and evaluation run. Nothing in it changes in a run. */
export interface Programs {
  readonly network: Network;
  readonly optimizer: Optimizer;
  readonly step: TrainStep;
  /** The layers at the beginning that nothing changes, where what they give is worth to be kept. */
  readonly stem: Stem | null;
  readonly judge: Evaluator;
}

/** The programs of an experiment, compiled when they are first called. */
export function programsOf(spec: RunSpec): Programs {
  const { model, stream, optimizer: given, strategies } = spec;
  const net = limited(network(model, stream.shape), strategies);
  const optimizer = requireShown(fitted(given, net, strategies), strategies);
  const stem = stemFor(spec, net);
  return {
    network: net,
    optimizer,
    step: trainStep(net, optimizer, strategies, stem),
    stem,
    judge: evaluator(net, strategies, stem),
  };
}
