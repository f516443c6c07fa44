import type { Handler } from "../context.ts";

export const shutdown: Handler = async (context, request) => {
  const restart = request.content.restart === true;
  await context.evaluator.stop(false);
  await context.flush();
  return { status: "ok", restart };
};
