/** `display`, as cells see it. */
import { randomUUID } from "node:crypto";
import type { Bundle, Content } from "../messages.ts";
import { type DisplayOptions, emit, flushAll, show } from "./output.ts";
import { bundleOf } from "./show.ts";

const text = (value: unknown) => (typeof value === "string" ? value : String(value));

/** One method per MIME type; `put` decides where the bundle goes. */
function methods(put: (bundle: Bundle) => void) {
  const mime = (type: string) => (content: string | Uint8Array) =>
    put({
      [type]: content,
      "text/plain": typeof content === "string" && /text|svg/.test(type) ? content : `[${type}]`,
    });
  const textual = (type: string) => (content: string) => put({ [type]: text(content), "text/plain": text(content) });
  return {
    html: textual("text/html"),
    markdown: textual("text/markdown"),
    latex: textual("text/latex"),
    svg: mime("image/svg+xml"),
    png: mime("image/png"),
    jpeg: mime("image/jpeg"),
    gif: mime("image/gif"),
    pdf: mime("application/pdf"),
    javascript: (code: string) => put({ "application/javascript": code, "text/plain": "[JavaScript]" }),
    json: (value: unknown) => put({ "application/json": value, "text/plain": JSON.stringify(value, null, 2) }),
    text: (content: unknown) => put({ "text/plain": text(content) }),
    /** Any MIME type, or a whole bundle. */
    raw: (type: string | Bundle, content?: unknown) =>
      put(
        typeof type === "string"
          ? { [type]: content, ...(type === "text/plain" ? {} : { "text/plain": `[${type}]` }) }
          : type,
      ),
  };
}

/** Displays whose bundle is still being made; the cell waits for them. */
const pending = new Set<Promise<unknown>>();
export const displaysSettled = () => Promise.allSettled([...pending]);
/** A new cell does not wait for what an interrupted one has left behind. */
export const forgetDisplays = () => pending.clear();

/** The cell ends after this. */
export function awaited(done: Promise<unknown>): void {
  pending.add(done);
  void done.catch(() => {}).finally(() => pending.delete(done));
}

function showValue(value: unknown, options: DisplayOptions = {}): Promise<void> {
  const done = bundleOf(value).then((bundle) => void show(bundle ?? { "text/plain": "undefined" }, options));
  awaited(done);
  return done;
}

/** Where something is shown, to be shown anew: `const d = display.handle(); d.update(value)`. */
function handle(displayId: string = randomUUID()) {
  let shown = false;
  const options = (metadata?: Content): DisplayOptions => {
    const update = shown;
    shown = true;
    return { displayId, update, ...(metadata ? { metadata } : {}) };
  };
  return {
    id: displayId,
    update: (value: unknown, metadata?: Content) => showValue(value, options(metadata)),
    ...methods((bundle) => show(bundle, options())),
  };
}

export const display = Object.assign((value: unknown, options?: DisplayOptions) => showValue(value, options), {
  ...methods((bundle) => show(bundle)),
  handle,
  /** Empties the output of the cell; with `wait`, only when the next output comes. */
  clear(wait = false) {
    flushAll();
    emit({ op: "clear", wait });
  },
});

export { handle as newDisplay };
