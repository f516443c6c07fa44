/** Text from data, made safe where it is shown. */

/** The text with the characters that mean something in HTML and XML replaced. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

const latex: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "±": "$\\pm$",
  "−": "$-$",
  "–": "--",
};

/** The text with the characters that mean something in LaTeX replaced. */
export function escapeLatex(text: string): string {
  return text.replace(/[&%$#_{}\\~^±−–]/g, (found) => latex[found] ?? `\\${found}`);
}

/** The text with the characters that mean something in a Markdown table replaced. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\|*_<>`]/g, "\\$&").replaceAll("\n", " ");
}
