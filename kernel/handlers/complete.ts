import type { Handler } from "../context.ts";
import { toPoints, toUnits } from "../text.ts";

export const complete: Handler = async ({ language }, request) => {
  const code = String(request.content.code ?? "");
  const cursor = toUnits(code, Number(request.content.cursor_pos ?? code.length));
  const found = await language.complete(code, cursor);
  return {
    status: "ok",
    matches: found.matches.map((match) => match.text),
    cursor_start: toPoints(code, found.start),
    cursor_end: toPoints(code, found.end),
    metadata: {
      _jupyter_types_experimental: found.matches.map(({ text, kind, signature }) => ({
        text,
        type: kind,
        signature,
        start: toPoints(code, found.start),
        end: toPoints(code, found.end),
      })),
    },
  };
};
