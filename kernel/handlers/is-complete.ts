import type { Handler } from "../context.ts";
import { asksForHelp } from "./execute.ts";

export const isComplete: Handler = async ({ language }, request) => {
  const code = String(request.content.code ?? "");
  return asksForHelp(code) ? { status: "complete" } : { ...(await language.isComplete(code)) };
};
