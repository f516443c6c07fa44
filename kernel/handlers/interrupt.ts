import type { Handler } from "../context.ts";

export const interrupt: Handler = ({ evaluator }) => {
  evaluator.interrupt();
  return { status: "ok" };
};
