import type { Handler } from "../context.ts";
import type { Entry } from "../history.ts";

export const history: Handler = ({ history }, { content }) => {
  const optional = (value: unknown) => (typeof value === "number" ? value : undefined);
  let entries: Entry[] = [];
  if (content.hist_access_type === "tail") entries = history.tail(optional(content.n) ?? 10);
  else if (content.hist_access_type === "range") {
    // Session 0 and 1 are this one; older sessions are not kept.
    if (![0, 1, undefined].includes(optional(content.session))) return { status: "ok", history: [] };
    entries = history.range(optional(content.start) ?? 0, optional(content.stop));
  } else if (content.hist_access_type === "search") {
    entries = history.search(String(content.pattern ?? "*"), optional(content.n), content.unique === true);
  }
  const row = ({ session, line, input, output }: Entry) => [
    session,
    line,
    content.output === true ? [input, output] : input,
  ];
  return { status: "ok", history: entries.map(row) };
};
