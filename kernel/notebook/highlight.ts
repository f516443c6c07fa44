/** TypeScript as HTML with classes for colours. A tokenizer of a page, for display only: it never fails, it may colour wrongly. */
import { escapeHtml } from "../html.ts";

const keywords = new Set(
  "abstract as async await break case catch class const continue debugger declare default delete do else enum export extends finally for from function get if implements import in infer instanceof interface is keyof let namespace new of override private protected public readonly return satisfies set static super switch this throw try type typeof using var void while with yield".split(
    " ",
  ),
);
const literals = new Set(["true", "false", "null", "undefined", "NaN", "Infinity"]);

const token =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<string>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`(?:\\.|[^`\\])*`?)|(?<number>\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?)n?\b)|(?<word>[A-Za-z_$][\w$]*)|(?<regexp>(?<=[=(,:;!&|?{}\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*)/g;

export function highlight(code: string): string {
  let html = "";
  let at = 0;
  for (const match of code.matchAll(token)) {
    html += escapeHtml(code.slice(at, match.index));
    at = match.index + match[0].length;
    const { word, ...kinds } = match.groups as Record<string, string | undefined>;
    const kind =
      word === undefined ? Object.keys(kinds).find((name) => kinds[name] !== undefined) : wordKind(word, code, at);
    html += kind ? `<span class="${kind}">${escapeHtml(match[0])}</span>` : escapeHtml(match[0]);
  }
  return html + escapeHtml(code.slice(at));
}

function wordKind(word: string, code: string, end: number): string | undefined {
  if (keywords.has(word)) return "keyword";
  if (literals.has(word)) return "number";
  if (/^\s*\(/.test(code.slice(end, end + 20))) return "call";
  return /^[A-Z]/.test(word) ? "type" : undefined;
}
