/** The server behind the notebook in the browser, for this machine only. */
import { realpathSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { contents } from "./contents.ts";
import { configFolder } from "./disk.ts";
import { widgetFrame } from "./frame.ts";
import { v1 } from "./framing.ts";
import { guard } from "./guard.ts";
import { errorAnswer, sendJson, urlOf } from "./http.ts";
import { type KernelOptions, kernels } from "./kernels.ts";
import { asset, page, pageAddress, sorry, welcome } from "./page.ts";
import { answer, type Services } from "./routes.ts";
import { folderFor, sessions } from "./sessions.ts";
import { settings } from "./settings.ts";
import { trust } from "./trust.ts";
import { workspaces } from "./workspaces.ts";

export interface ServerOptions extends KernelOptions {
  /** The folder that is served. */
  root: string;
  /** 0 takes any that is free. Default 0. */
  port?: number;
  /** Default: 192 random bits. */
  token?: string;
  /** The folder of the bundle; without it the API answers, but there is no page. */
  app?: string;
  /** The notebook that is shown as an app, and run: this one and no other, whatever an address says. */
  appFile?: string;
  /** Where settings are kept. Default: the user's. */
  config?: string;
  /** The page asked the server to end. */
  onShutdown?(): void;
}

export interface NotebookServer {
  readonly port: number;
  readonly token: string;
  /** The address that opens a file (or the folder) in the browser, with the token. */
  url(path?: string): string;
  readonly kernelCount: number;
  close(): Promise<void>;
}

/** A socket whose other end is gone without a word is found out after two of these. */
const pingMs = 15_000;

/** @throws when the port is taken (code EADDRINUSE) or the folder is not there. */
export async function startServer(options: ServerOptions): Promise<NotebookServer> {
  const root = realpathSync(options.root);
  const config = options.config ?? configFolder();
  const server = createServer();
  await listen(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const door = guard(port, options.token);

  const files = contents(root, trust(config));
  const running = kernels(options, (id) => bound.kernelGone(id));
  const fileOf = async (path: string) => (await files.at(path)).file;
  const bound = sessions(running, fileOf);
  const services: Services = {
    contents: files,
    kernels: running,
    sessions: bound,
    settings: settings(options.app && join(options.app, "schemas.json"), join(config, "settings")),
    workspaces: workspaces((path, notebook) =>
      files.get(path, notebook ? { type: "notebook" } : { content: false }).then(
        () => true,
        (error: unknown) => errorAnswer(error).status >= 500,
      ),
    ),
    shutdown: () => options.onShutdown?.(),
  };

  /** The notebook of the page that was asked for last, when it has no kernel. */
  let expected: string | undefined;
  const respond = async (request: IncomingMessage, response: ServerResponse, by: string): Promise<void> => {
    const url = urlOf(request);
    const address = request.method === "GET" ? pageAddress(url) : undefined;
    if (address && by !== "cookie") return welcome(response, address.clean, door.setCookie);
    if (address && !url.pathname.startsWith("/lab")) {
      response.writeHead(302, { Location: address.clean }).end();
    } else if (address && options.app) {
      const asked = await files.get(address.treePath, { content: false }).catch(() => undefined);
      const isFile = asked !== undefined && asked.type !== "directory";
      expected = asked?.type === "notebook" && !bound.has(asked.path) ? asked.path : undefined;
      const host = request.headers.host ?? "";
      const appFile = options.appFile === address.treePath ? options.appFile : undefined;
      page(response, {
        ...address,
        app: options.app,
        host,
        folderName: basename(root),
        isFile,
        ...(appFile ? { appFile } : {}),
      });
    } else if (url.pathname === "/widgets/frame" && options.app) {
      widgetFrame(response, options.app, request.headers.host ?? "");
    } else if (/^\/static\/(app|themes)\//.test(url.pathname) && options.app) {
      asset(response, options.app, decodeURIComponent(url.pathname.slice(8)), request.headers["if-none-match"]);
    } else {
      // The page's first question: its scripts are there, and while it works on them, a kernel can start.
      if (expected !== undefined) {
        const folder = folderFor(expected, fileOf);
        expected = undefined;
        running.prepare(await folder);
      }
      await answer({ request, response, url }, services);
    }
  };
  server.on("request", (request, response) => {
    const verdict = door.admit(request);
    if (!verdict.admitted) {
      if (pageAddress(urlOf(request))) sorry(response, verdict.status, verdict.message);
      else sendJson(response, verdict.status, { message: verdict.message, reason: null });
      return;
    }
    respond(request, response, verdict.by).catch((error: unknown) => {
      const { status, message } = errorAnswer(error);
      if (status === 500) console.error(error);
      sendJson(response, status, { message, reason: null });
    });
  });

  const connections = new Set<Duplex>();
  server.on("connection", (socket: Duplex) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 512 * 1024 * 1024,
    handleProtocols: (offered) => (offered.has(v1) ? v1 : false),
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const refuse = (status: number, message: string): void => {
      socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${message}\n`);
    };
    const verdict = door.admit(request, true);
    if (!verdict.admitted) return refuse(verdict.status, verdict.message);
    const url = urlOf(request);
    const id = /^\/api\/kernels\/([^/]+)\/channels$/.exec(url.pathname)?.[1];
    if (id === undefined && url.pathname !== "/api/events/subscribe") return refuse(404, "There is nothing here.");
    if (id !== undefined && !running.has(id)) return refuse(404, "There is no such kernel.");
    sockets.handleUpgrade(request, socket, head, (opened) => {
      watch(opened);
      if (id === undefined) return;
      const received = url.searchParams.get("received");
      const session = url.searchParams.get("session_id") ?? "";
      running.connect(id, opened, session, received === null ? undefined : Number(received));
    });
  });

  return {
    port,
    token: door.token,
    url(path = "") {
      const tree = path === "" ? "" : `/tree/${path.split("/").map(encodeURIComponent).join("/")}`;
      return `http://127.0.0.1:${port}/lab${tree}?token=${door.token}`;
    },
    get kernelCount() {
      return running.list().length;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await running.stopAll();
      // All of them: one that was refused and does not hang up would keep the server open for ever.
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Ends a socket that does not answer: a page that vanished without a word comes back, and must find its place free. */
function watch(socket: WebSocket): void {
  let alive = true;
  socket.on("pong", () => {
    alive = true;
  });
  socket.on("error", () => socket.terminate());
  const timer = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, pingMs);
  timer.unref();
  socket.once("close", () => clearInterval(timer));
}
