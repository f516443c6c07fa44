/** The Jupyter Server API, as far as notebooks need it: method and path → answer. */
import { readFile, stat } from "node:fs/promises";
import { version } from "../kernel-info.ts";
import { kernelspec } from "../notebook/nbformat.ts";
import { checkpoints } from "./checkpoints.ts";
import type { Contents, Reading } from "./contents.ts";
import { type Exchange, HttpError, readBody, send, sendJson } from "./http.ts";
import type { Kernels } from "./kernels.ts";
import { mimeOf } from "./mime.ts";
import { logo } from "./page.ts";
import { folderFor, type Sessions } from "./sessions.ts";
import type { settings } from "./settings.ts";
import type { workspaces } from "./workspaces.ts";

export interface Services {
  contents: Contents;
  kernels: Kernels;
  sessions: Sessions;
  settings: ReturnType<typeof settings>;
  workspaces: ReturnType<typeof workspaces>;
  /** The page asked the server to end. */
  shutdown(): void;
}

type Answer = (exchange: Exchange, services: Services) => unknown;
export type Route = [method: string, path: RegExp, answer: Answer];

/** The version of the Jupyter Server API that clients may expect. */
const apiVersion = "2.17.0";
const started = new Date().toISOString();

/** Answered with 200 and JSON, unless the route says otherwise by a pair of status and value. */
class Reply {
  readonly status: number;
  readonly value: unknown;
  constructor(status: number, value?: unknown) {
    this.status = status;
    this.value = value;
  }
}
const done = new Reply(204);
const andDone = (_: unknown) => done;

const specs = {
  default: kernelspec.name,
  kernelspecs: {
    [kernelspec.name]: {
      name: kernelspec.name,
      spec: {
        argv: ["thalweg", "kernel", "{connection_file}"],
        env: {},
        display_name: kernelspec.display_name,
        language: kernelspec.language,
        interrupt_mode: "message",
        metadata: { debugger: true },
      },
      resources: { "logo-svg": `/kernelspecs/${kernelspec.name}/logo-svg.svg` },
    },
  },
};

export const routes: Route[] = [
  ["GET", /^\/api\/?$/, () => ({ version: apiVersion })],
  [
    "GET",
    /^\/api\/status$/,
    (_, { kernels }) => ({
      started,
      last_activity: new Date().toISOString(),
      connections: kernels.list().reduce((sum, kernel) => sum + kernel.connections, 0),
      kernels: kernels.list().length,
      version,
    }),
  ],
  [
    "GET",
    /^\/api\/me$/,
    () => ({
      identity: { username: "you", name: "You", display_name: "You", initials: "Y", avatar_url: null, color: null },
      permissions: {},
    }),
  ],
  ["POST", /^\/api\/shutdown$/, (_, { shutdown }) => andDone(shutdown())],

  ["GET", /^\/api\/kernelspecs$/, () => specs],
  ["GET", /^\/api\/kernelspecs\/thalweg$/, () => specs.kernelspecs[kernelspec.name]],
  [
    "GET",
    /^\/(?:kernelspecs\/thalweg\/logo-svg\.svg|static\/favicon\.svg|favicon\.ico)$/,
    ({ response }) => send(response, 200, logo, { "Content-Type": "image/svg+xml" }),
  ],

  ["GET", /^\/api\/kernels$/, (_, { kernels }) => kernels.list()],
  [
    "POST",
    /^\/api\/kernels$/,
    async ({ request }, { kernels, contents }) => {
      const { name, path } = await readBody(request);
      const cwd = await folderFor(
        typeof path === "string" ? path : "",
        async (given) => (await contents.at(given)).file,
      );
      return new Reply(201, kernels.start(name, cwd));
    },
  ],
  ["GET", /^\/api\/kernels\/([^/]+)$/, ({ parts }, { kernels }) => kernels.get(parts[0]!)],
  ["DELETE", /^\/api\/kernels\/([^/]+)$/, ({ parts }, { kernels }) => kernels.stop(parts[0]!).then(() => done)],
  ["POST", /^\/api\/kernels\/([^/]+)\/interrupt$/, ({ parts }, { kernels }) => andDone(kernels.interrupt(parts[0]!))],
  [
    "POST",
    /^\/api\/kernels\/([^/]+)\/restart$/,
    async ({ parts }, { kernels }) => {
      await kernels.restart(parts[0]!);
      return kernels.get(parts[0]!);
    },
  ],

  ["GET", /^\/api\/sessions$/, (_, { sessions }) => sessions.list()],
  [
    "POST",
    /^\/api\/sessions$/,
    async ({ request }, { sessions }) => new Reply(201, await sessions.create(await readBody(request))),
  ],
  ["GET", /^\/api\/sessions\/([^/]+)$/, ({ parts }, { sessions }) => sessions.get(parts[0]!)],
  [
    "PATCH",
    /^\/api\/sessions\/([^/]+)$/,
    async ({ request, parts }, { sessions }) => sessions.change(parts[0]!, await readBody(request)),
  ],
  ["DELETE", /^\/api\/sessions\/([^/]+)$/, ({ parts }, { sessions }) => sessions.remove(parts[0]!).then(() => done)],

  [
    "GET",
    /^\/api\/contents\/(.+)\/checkpoints$/,
    async ({ parts }, { contents }) => checkpoints.list((await contents.at(parts[0]!)).file),
  ],
  [
    "POST",
    /^\/api\/contents\/(.+)\/checkpoints$/,
    async ({ parts }, { contents }) => {
      const { file } = await contents.at(parts[0]!);
      return new Reply(201, await contents.inTurn(file, () => checkpoints.create(file)));
    },
  ],
  [
    "POST",
    /^\/api\/contents\/(.*?)\/checkpoints\/([^/]+)$/,
    async ({ parts }, { contents }) => {
      const { file } = await contents.at(parts[0]!);
      await contents.inTurn(file, () => checkpoints.restore(file, parts[1]!));
      return done;
    },
  ],
  [
    "DELETE",
    /^\/api\/contents\/(.*?)\/checkpoints\/([^/]+)$/,
    async ({ parts }, { contents }) => {
      await checkpoints.remove((await contents.at(parts[0]!)).file);
      return done;
    },
  ],
  ["GET", /^\/api\/contents\/?(.*?)$/, ({ parts, url }, { contents }) => contents.get(parts[0]!, reading(url))],
  [
    "PUT",
    /^\/api\/contents\/(.+)$/,
    async ({ request, parts }, { contents }) => {
      const given = await readBody(request);
      const there = await contents.get(parts[0]!, { content: false }).catch(() => undefined);
      return new Reply(there ? 200 : 201, await contents.save(parts[0]!, given));
    },
  ],
  [
    "POST",
    /^\/api\/contents\/?(.*?)$/,
    async ({ request, parts }, { contents }) =>
      new Reply(201, await contents.create(parts[0]!, await readBody(request))),
  ],
  [
    "PATCH",
    /^\/api\/contents\/(.+)$/,
    async ({ request, parts }, { contents }) => contents.move(parts[0]!, (await readBody(request)).path),
  ],
  ["DELETE", /^\/api\/contents\/(.+)$/, ({ parts }, { contents }) => contents.remove(parts[0]!).then(() => done)],
  ["GET", /^\/files\/(.+)$/, download],

  [
    "GET",
    /^\/lab\/api\/settings\/?$/,
    ({ url }, { settings }) => ({
      settings: url.searchParams.get("ids_only") === "true" ? settings.ids() : settings.list(),
    }),
  ],
  ["GET", /^\/lab\/api\/settings\/(.+)$/, ({ parts }, { settings }) => settings.get(parts[0]!)],
  [
    "PUT",
    /^\/lab\/api\/settings\/(.+)$/,
    async ({ request, parts }, { settings }) => {
      await settings.save(parts[0]!, (await readBody(request)).raw);
      return done;
    },
  ],
  ["GET", /^\/lab\/api\/workspaces\/?$/, (_, { workspaces }) => workspaces.list()],
  ["GET", /^\/lab\/api\/workspaces\/(.+)$/, ({ parts }, { workspaces }) => workspaces.get(parts[0]!)],
  [
    "PUT",
    /^\/lab\/api\/workspaces\/(.+)$/,
    async ({ request, parts }, { workspaces }) => {
      workspaces.save(parts[0]!, await readBody(request));
      return done;
    },
  ],
  ["DELETE", /^\/lab\/api\/workspaces\/(.+)$/, ({ parts }, { workspaces }) => andDone(workspaces.remove(parts[0]!))],

  // What other clients ask for, and may be told is not here.
  ["GET", /^\/api\/config\/[\w-]+$/, () => ({})],
  ["GET", /^\/api\/nbconvert$/, () => ({})],
  ["GET", /^\/api\/terminals$/, () => []],
];

/** Answers the request, or says that there is no such route. */
export async function answer(exchange: Omit<Exchange, "parts">, services: Services): Promise<void> {
  const { request, response, url } = exchange;
  const method = request.method === "HEAD" ? "GET" : request.method;
  const there = routes.filter(([, path]) => path.test(url.pathname));
  const route = there.find(([allowed]) => allowed === method);
  if (!route) {
    if (there.length === 0) throw new HttpError(404, "There is nothing at this address.");
    throw new HttpError(405, `${method} is not possible here.`);
  }
  const parts = (route[1].exec(url.pathname) ?? []).slice(1).map(decode);
  const value = await route[2]({ ...exchange, parts }, services);
  if (value === undefined) return;
  if (!(value instanceof Reply)) sendJson(response, 200, value);
  else if (value.value === undefined) send(response, value.status, "");
  else sendJson(response, value.status, value.value);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpError(400, "The address is not well formed.");
  }
}

function reading({ searchParams }: URL): Reading {
  const text = (name: string) => searchParams.get(name) ?? undefined;
  const [type, format] = [text("type"), text("format")];
  return {
    content: searchParams.get("content") !== "0",
    hash: searchParams.get("hash") === "1",
    ...(type === undefined ? {} : { type }),
    ...(format === undefined ? {} : { format }),
  };
}

/** A file as it is, for pictures and downloads. Its own scripts and styles get no rights in our name: the answer is sandboxed. */
async function download({ response, url, parts }: Exchange, { contents }: Services): Promise<void> {
  const { file, name } = await contents.at(parts[0]!);
  if (!(await stat(file)).isFile()) throw new HttpError(404, "There is no such file.");
  const saved = url.searchParams.get("download") !== null;
  send(response, 200, await readFile(file), {
    // A page may show pictures and pages of the folder, and must not run what is there: scripts are text.
    "Content-Type": /script|css|wasm/.test(mimeOf(name)) ? "text/plain; charset=utf-8" : mimeOf(name),
    ...(saved ? { "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name)}` } : {}),
  });
}
