/** The page and its files. The page may run the scripts of the bundle and nothing else, whatever a notebook shows in it. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { escapeHtml, scriptJson } from "../html.ts";
import { version } from "../kernel-info.ts";
import { kernelspec } from "../notebook/nbformat.ts";
import { commonHeaders, HttpError, send } from "./http.ts";
import { mimeOf } from "./mime.ts";
import { inside } from "./paths.ts";

/** A stream finding its bed. */
export const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="12" fill="#3178c6"/><path d="M8 16c14 0 12 14 24 16s10 18 24 18" fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round"/></svg>`;

/** `host` is checked before: it is this machine and this port. */
export function policy(host: string): string {
  return [
    "default-src 'none'",
    // Not 'self': that would be the files of the folder, too.
    `script-src http://${host}/static/app/`,
    // JupyterLab and CodeMirror write styles from scripts.
    `style-src http://${host}/static/ 'unsafe-inline'`,
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "media-src 'self' data: blob:",
    `connect-src 'self' ws://${host}`,
    `worker-src http://${host}/static/app/`,
    `frame-src http://${host}/widgets/frame`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

const html = (title: string, head: string, body: string) =>
  `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>${head}</head><body>${body}</body></html>\n`;

/** Gives the browser its cookie and goes on without the token. A page that goes on, not a redirect: cookies that are strict follow only then. */
export function welcome(response: ServerResponse, target: string, setCookie: string): void {
  const head = `<meta http-equiv="refresh" content="0; url=${escapeHtml(target)}">`;
  send(response, 200, html("Thalweg", head, `<p><a href="${escapeHtml(target)}">Open the notebook</a></p>`), {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Set-Cookie": setCookie,
  });
}

/** An error, for a person. */
export function sorry(response: ServerResponse, status: number, message: string): void {
  send(response, status, html("Thalweg", "", `<p>${escapeHtml(message)}</p>`), {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  });
}

export interface PageAddress {
  /** The address without the token, and in the one form that the page knows. */
  clean: string;
  treePath: string;
  workspace: string;
}

/** What of the page an address asks for, or undefined when it is no address of the page. */
export function pageAddress(url: URL): PageAddress | undefined {
  const lab = /^\/lab(?:\/workspaces\/([\w-]+))?(?:\/tree(?:\/(.*))?)?\/?$/.exec(url.pathname);
  const other = /^\/(?:(?:tree|notebooks|edit)(?:\/(.*))?)?$/.exec(url.pathname);
  if (!lab && !other) return undefined;
  const search = new URLSearchParams(url.search);
  search.delete("token");
  const asked = search.size > 0 ? `?${search}` : "";
  const tree = lab?.[2] ?? other?.[1] ?? "";
  return {
    clean: lab ? `${url.pathname}${asked}` : tree === "" ? "/lab" : `/lab/tree/${tree}`,
    treePath: decodeURIComponent(tree),
    workspace: lab?.[1] ?? "default",
  };
}

export interface PageOptions extends Omit<PageAddress, "clean"> {
  /** The folder of the bundle. */
  app: string;
  host: string;
  folderName: string;
  /** Whether `treePath` is a file. */
  isFile: boolean;
  /** The file is shown as an app. */
  appFile?: string;
}

export function page(response: ServerResponse, options: PageOptions): void {
  const { scripts } = JSON.parse(readFileSync(join(options.app, "page.json"), "utf8")) as { scripts: string[] };
  const config = {
    appName: "Thalweg",
    appNamespace: "thalweg",
    appUrl: "/lab",
    appVersion: version,
    notebookVersion: "[2, 17, 0]",
    baseUrl: "/",
    wsUrl: "",
    fullThemesUrl: "/static/themes",
    themesUrl: "/static/themes",
    settingsUrl: "/lab/api/settings",
    workspacesApiUrl: "/lab/api/workspaces",
    translationsApiUrl: "",
    mode: "multiple-document",
    workspace: options.workspace,
    treePath: options.treePath,
    askedFile: options.isFile ? options.treePath : "",
    appFile: options.appFile ?? "",
    serverRoot: options.folderName,
    terminalsAvailable: "false",
    quitButton: "true",
    devMode: "false",
    exposeAppInBrowser: "false",
    defaultKernelName: kernelspec.name,
  };
  const head = [
    `<link rel="icon" type="image/svg+xml" class="idle favicon" href="/static/favicon.svg">`,
    `<link rel="stylesheet" href="/static/app/main.css">`,
    `<script id="jupyter-config-data" type="application/json">${scriptJson(config)}</script>`,
    ...scripts.slice(1).map((script) => `<link rel="modulepreload" href="/static/${escapeHtml(script)}">`),
    `<script type="module" src="/static/${escapeHtml(scripts[0] ?? "app/main.js")}"></script>`,
  ].join("\n");
  send(response, 200, html("Thalweg", head, ""), {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": policy(options.host),
  });
}

/** A file of the bundle. Names with a hash never change; the others are asked for again. */
export function asset(response: ServerResponse, app: string, path: string, etagGiven: string | undefined): void {
  const wanted = join(app, path);
  if (!existsSync(wanted) || !statSync(wanted).isFile() || !inside(realpathSync(app), realpathSync(wanted)))
    throw new HttpError(404, "There is no such file.");
  const { size, mtimeMs } = statSync(wanted);
  const etag = `"${createHash("sha256").update(`${path} ${size} ${mtimeMs}`).digest("hex").slice(0, 16)}"`;
  const headers = {
    ...commonHeaders,
    "Content-Type": mimeOf(wanted),
    ETag: etag,
    "Cache-Control": /-[A-Z0-9]{8}\.\w+$/.test(wanted) ? "private, max-age=31536000, immutable" : "private, no-cache",
  };
  if (etagGiven === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, "Content-Length": size });
  createReadStream(wanted)
    .on("error", () => response.destroy())
    .pipe(response);
}
