/**
 * Who may ask. Whoever reaches this server can run code as the user, so every request must know the token (as the cookie of the page, or
 * said outright), must have been addressed to this machine, and must not come from another site's page.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { urlOf } from "./http.ts";

export type Verdict =
  | { admitted: true; by: "cookie" | "header" | "query" }
  | { admitted: false; status: number; message: string };

export interface Guard {
  readonly token: string;
  readonly cookieName: string;
  /** The header that gives a browser its cookie. */
  readonly setCookie: string;
  admit(request: IncomingMessage, upgrade?: boolean): Verdict;
}

/** As good as a comparison of the texts, and takes the same time whatever they are. */
function same(given: string | undefined, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return given !== undefined && timingSafeEqual(digest(given), digest(expected));
}

export function guard(port: number, token: string = randomBytes(24).toString("hex")): Guard {
  const hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`, ...(port === 80 ? ["127.0.0.1", "localhost"] : [])]);
  // Cookies do not know ports: two servers on one machine need two names. The cookie is not the token: nobody reads one from the other.
  const cookieName = `thalweg-${port}`;
  const cookie = createHash("sha256").update(`cookie of ${token}`).digest("hex");
  const refuse = (status: number, message: string): Verdict => ({ admitted: false, status, message });

  return {
    token,
    cookieName,
    setCookie: `${cookieName}=${cookie}; HttpOnly; SameSite=Strict; Path=/`,
    admit(request, upgrade = false) {
      const { host = "", origin, authorization, "sec-fetch-site": site } = request.headers;
      // A name that resolves to this machine by somebody else's will (DNS rebinding) is not ours.
      if (!hosts.has(host.toLowerCase())) return refuse(421, "This server answers to 127.0.0.1 and localhost only.");
      if (origin !== undefined && origin !== `http://${host.toLowerCase()}`)
        return refuse(403, "Pages of other sites may not use this server.");

      const said = /^(?:token|bearer)\s+(.+)$/i.exec(authorization ?? "")?.[1];
      const query = urlOf(request).searchParams.get("token") ?? undefined;
      if (authorization !== undefined && !same(said, token)) return refuse(403, wrongToken);
      if (said !== undefined) return { admitted: true, by: "header" };
      if (same(query, token)) return { admitted: true, by: "query" };
      if (!same(cookieOf(request, cookieName), cookie)) return refuse(403, wrongToken);

      // A browser sends the cookie by itself, so that with a cookie the page must say that it is ours.
      const reads = request.method === "GET" || request.method === "HEAD";
      if (origin === undefined && (upgrade || !reads))
        return refuse(403, "Without an Origin header, the token must be said in the Authorization header.");
      if (site !== undefined && site !== "same-origin" && site !== "none")
        return refuse(403, "Pages of other sites may not use this server.");
      // A form of another page can post text, but not this type without asking first.
      const {
        "content-type": type = "none",
        "content-length": length = "0",
        "transfer-encoding": pieces,
      } = request.headers;
      if (!reads && (pieces !== undefined || length !== "0") && !/^application\/json\b/i.test(type))
        return refuse(415, `The body must be application/json, got ${type}.`);
      return { admitted: true, by: "cookie" };
    },
  };
}

const wrongToken =
  "The token is missing or not valid any more (the server was started again?). Open the address that the terminal printed; then this page works too, and nothing in it is lost.";

function cookieOf(request: IncomingMessage, name: string): string | undefined {
  const pair = (request.headers.cookie ?? "").split(/;\s*/).find((part) => part.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}
