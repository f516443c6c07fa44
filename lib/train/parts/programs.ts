/** The compiled functions of an experiment, which runs with several seeds may share. */
import { type Network, network } from "../../models/network.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { type Evaluator, evaluator } from "../evaluate.ts";
import type { RunSpec } from "../spec.ts";
import { type TrainStep, trainStep } from "../step.ts";
import { fitted, limited, requireShown } from "./trained.ts";

/** What training and evaluation run. Nothing in it changes in a run. */
export interface Programs {
  readonly network: Network;
  readonly optimizer: Optimizer;
  readonly step: TrainStep;
  readonly judge: Evaluator;
}

/** The programs of an experiment, compiled when they are first called. */
export function programsOf({ model, stream, optimizer: given, strategies }: RunSpec): Programs {
  const net = limited(network(model, stream.shape), strategies);
  const optimizer = requireShown(fitted(given, net), strategies);
  return { network: net, optimizer, step: trainStep(net, optimizer, strategies), judge: evaluator(net, strategies) };
}
