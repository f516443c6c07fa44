import { schedule } from "../optimizer.ts";

/** The learning rate as it was given, all the time. */
export const constant = schedule("constant", {}, () => () => 1);
