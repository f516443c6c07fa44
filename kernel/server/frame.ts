/**
 * The document that a widget runs in. Its code came from a cell, and a cell may show what others wrote: so the document has no origin
 * (no cookie, no storage, no way into the page), may not call this server, open windows or navigate. It may fetch from the web, which
 * many widgets do and the cell that made it could do anyway.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { HttpError, send } from "./http.ts";

/** @param host checked before: this machine and this port. */
export function widgetFrame(response: ServerResponse, app: string, host: string): void {
  const file = join(app, "frame.js");
  if (!existsSync(file)) throw new HttpError(404, "The page was built without frames for widgets; build it again.");
  const script = readFileSync(file, "utf8").replaceAll("</script", "<\\/script");
  const hash = createHash("sha256").update(script).digest("base64");
  const body = `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>widget</title><style>body { margin: 0 } #root { overflow: auto }</style></head><body><div id="root"></div><script>${script}</script></body></html>\n`;
  send(response, 200, body, {
    "Content-Type": "text/html; charset=utf-8",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": [
      "sandbox allow-scripts",
      "default-src 'none'",
      `script-src 'sha256-${hash}' blob: https: 'unsafe-eval'`,
      "style-src 'unsafe-inline' https:",
      "img-src data: blob: https:",
      "font-src data: https:",
      "media-src data: blob: https:",
      "connect-src data: blob: https:",
      "worker-src blob:",
      "base-uri 'none'",
      "form-action 'none'",
      `frame-ancestors http://${host}`,
    ].join("; "),
  });
}
