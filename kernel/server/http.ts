/** What every answer of the server has in common: errors with a sentence, JSON in and out, and the headers that keep a page to itself. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

/** An answer that is not what was asked for; the message is for the person in front of the page. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  /** The parts of the path that the route names, decoded. */
  parts: string[];
}

/** The address of a request, whatever a client put there. */
export const urlOf = ({ url }: IncomingMessage): URL => new URL(`http://localhost${url?.startsWith("/") ? url : "/"}`);

/** Longest body: a notebook with a thousand pictures in it fits. */
const bodyLimit = 512 * 1024 * 1024;

/** Said of everything: nobody guesses a type, frames the page or learns where it was. */
export const commonHeaders: OutgoingHttpHeaders = {
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
};

export function send(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array,
  headers: OutgoingHttpHeaders = {},
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    ...commonHeaders,
    "Content-Length": typeof body === "string" ? Buffer.byteLength(body) : body.byteLength,
    ...headers,
  });
  response.end(body);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, JSON.stringify(value), { "Content-Type": "application/json" });
}

/** The body as a JSON object; no body is an empty one. @throws HttpError 400, 413. */
export async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimit) throw new HttpError(413, `The body must be at most ${bodyLimit} bytes.`);
    chunks.push(chunk);
  }
  if (size === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new HttpError(400, "The body must be JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new HttpError(400, "The body must be a JSON object.");
  return value as Record<string, unknown>;
}

/** An error of ours or of the file system as an answer. */
export function errorAnswer(error: unknown): { status: number; message: string } {
  if (error instanceof URIError) return { status: 400, message: "The address is not well formed." };
  if (error instanceof HttpError) return { status: error.status, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case "ENOENT":
    case "ENOTDIR":
      return { status: 404, message: "There is no such file or folder." };
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return { status: 403, message: "The file system does not allow it." };
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return {
        status: 507,
        message: "There is no room on the disk. The file there is as it was; free some space and save again.",
      };
    case "EEXIST":
    case "ENOTEMPTY":
      return { status: 409, message: "It exists already, or the folder is not empty." };
    default:
      return { status: 500, message };
  }
}
