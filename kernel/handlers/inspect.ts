import type { Handler } from "../context.ts";
import { toUnits } from "../text.ts";

export const inspect: Handler = async ({ language }, request) => {
  const code = String(request.content.code ?? "");
  const data = await language.inspect(code, toUnits(code, Number(request.content.cursor_pos ?? code.length)));
  return { status: "ok", found: data !== undefined, data: data ?? {}, metadata: {} };
};
