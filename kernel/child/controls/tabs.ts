import { escapeHtml } from "../../html.ts";
import type { Bundle } from "../../messages.ts";
import { modelIdOf } from "../../widgets/stills.ts";
import { bundleOf } from "../show.ts";
import { type Control, control } from "./control.ts";

/** Several things in one place, of which one is seen; its value is the title of that one. Widgets in it stay live. */
export async function tabs(
  pages: Readonly<Record<string, unknown>>,
  { value }: { value?: string } = {},
): Promise<Control<string>> {
  const titles = Object.keys(pages);
  if (titles.length === 0) throw new RangeError("tabs: at least one page is required, got none");
  const place = (title: string): number => {
    const at = titles.indexOf(title);
    if (at < 0) throw new RangeError(`tabs: one of ${titles.join(", ")} is required, got ${title}`);
    return at;
  };
  const panels = await Promise.all(Object.values(pages).map(async (page) => panelOf((await bundleOf(page)) ?? {})));
  return control<string>({
    kind: "tabs",
    state: { titles, panels, value: value === undefined ? 0 : place(value) },
    read: (at) => titles[at as number]!,
    write: place,
  });
}

function panelOf(bundle: Bundle): { text: string; html?: string; model?: string } {
  const text = String(bundle["text/plain"] ?? "");
  const model = modelIdOf(bundle);
  if (model !== undefined) return { text, model: `anywidget:${model}` };
  const svg = bundle["image/svg+xml"];
  const png = bundle["image/png"];
  const html = svg ?? bundle["text/html"];
  if (html !== undefined) return { text, html: String(html) };
  if (png === undefined) return { text };
  const data = png instanceof Uint8Array ? Buffer.from(png).toString("base64") : String(png);
  return { text, html: `<img src="data:image/png;base64,${escapeHtml(data)}" alt="">` };
}
