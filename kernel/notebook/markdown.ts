/** Markdown cells as HTML. HTML inside them is shown as text, links go only where a click is harmless, pictures are those that travel with the notebook. */
import { Marked } from "marked";
import { escapeHtml } from "../html.ts";
import type { Bundle } from "../messages.ts";
import { highlight } from "./highlight.ts";

export interface Heading {
  depth: number;
  id: string;
  text: string;
}

export function markdownHtml(
  source: string,
  attachments: Record<string, Bundle> = {},
  headings: Heading[] = [],
): string {
  const marked = new Marked({
    gfm: true,
    renderer: {
      html: ({ text }) =>
        /^<br\s*\/?>$/.test(text.trim()) ? "<br>" : /^<!--[\s\S]*-->\s*$/.test(text) ? "" : escapeHtml(text),
      code: ({ text, lang }) => {
        const known = /^(ts|typescript|js|javascript|tsx|jsx)\b/.test(lang ?? "");
        return `<pre class="code"><code>${known ? highlight(text) : escapeHtml(text)}</code></pre>\n`;
      },
      heading({ tokens, depth, text }) {
        const id = unique(slug(text), headings);
        headings.push({ depth, id, text });
        return `<h${depth} id="${escapeHtml(id)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      link({ href, title, tokens }) {
        const text = this.parser.parseInline(tokens);
        if (!/^(https?:|mailto:|#|\.{0,2}\/|[\w%-][^:]*$)/i.test(href)) return text;
        return `<a href="${escapeHtml(href)}"${title ? ` title="${escapeHtml(title)}"` : ""} rel="noopener">${text}</a>`;
      },
      image({ href, title, text }) {
        const source =
          attached(href, attachments) ??
          (/^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i.test(href) ? href : undefined);
        // The page loads nothing from elsewhere: such a picture becomes a link to it.
        if (source === undefined)
          return `<a href="${/^https?:/i.test(href) ? escapeHtml(href) : "#"}" rel="noopener">${escapeHtml(text || href)}</a>`;
        return `<img src="${escapeHtml(source)}" alt="${escapeHtml(text)}"${title ? ` title="${escapeHtml(title)}"` : ""}>`;
      },
    },
  });
  return marked.parse(source, { async: false });
}

function attached(href: string, attachments: Record<string, Bundle>): string | undefined {
  if (!href.startsWith("attachment:")) return undefined;
  const bundle = attachments[decodeURIComponent(href.slice("attachment:".length))];
  const [mime, data] = Object.entries(bundle ?? {}).find(([type]) => type.startsWith("image/")) ?? [];
  return mime && `data:${mime};base64,${String(data).replace(/\s/g, "")}`;
}

const slug = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "") || "section";

function unique(id: string, headings: Heading[]): string {
  const taken = (name: string) => headings.some((heading) => heading.id === name);
  if (!taken(id)) return id;
  let n = 2;
  while (taken(`${id}-${n}`)) n++;
  return `${id}-${n}`;
}
