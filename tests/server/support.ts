/** Starts servers in folders of their own, and asks them things that a browser would not. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import WebSocket from "ws";
import type { Channel, Message } from "../../kernel/messages.ts";
import { messageFactory } from "../../kernel/messages.ts";
import { framing, v1 } from "../../kernel/server/framing.ts";
import { type NotebookServer, type ServerOptions, startServer } from "../../kernel/server/server.ts";

export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-server-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The bundle of a page with nothing in it, so that none need be built. */
export function emptyPage(): string {
  const folder = temporary();
  writeFileSync(join(folder, "page.json"), '{"scripts":["app/main.js"]}');
  return folder;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are read field by field, and expected to be what the test says.
type Json = any;

export interface Asked {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: Json;
}

export interface Tested {
  root: string;
  server: NotebookServer;
  cookie: string;
  /** With no rights but those that the headers give. */
  raw(method: string, path: string, headers?: Record<string, string>, body?: string): Promise<Asked>;
  /** As a client that says the token. */
  ask(method: string, path: string, body?: unknown): Promise<Asked>;
}

export async function serve(options: Partial<ServerOptions> = {}): Promise<Tested> {
  const root = options.root ?? temporary();
  const server = await startServer({ config: temporary(), typeErrors: "off", ...options, root });
  onTestFinished(() => server.close());
  const raw: Tested["raw"] = (method, path, headers = {}, body) =>
    new Promise((resolve, reject) => {
      const sent = request({
        host: "127.0.0.1",
        port: server.port,
        method,
        path,
        headers,
        setHost: !("host" in headers),
      });
      sent.once("error", reject).once("response", async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        const text = Buffer.concat(chunks).toString();
        let json: unknown;
        try {
          json = JSON.parse(text);
        } catch {}
        resolve({ status: response.statusCode!, headers: response.headers, text, json });
      });
      sent.end(body);
    });
  const ask: Tested["ask"] = (method, path, body) =>
    raw(
      method,
      path,
      { authorization: `token ${server.token}` },
      body === undefined ? undefined : JSON.stringify(body),
    );
  const first = await raw("GET", `/lab?token=${server.token}`);
  const cookie = String(first.headers["set-cookie"]).split(";")[0]!;
  return { root, server, cookie, raw, ask };
}

/** How an attempt to open a WebSocket ended: open, or the status of the refusal. */
export function knock(server: NotebookServer, path: string, headers: Record<string, string>): Promise<"open" | number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers });
    socket.once("open", () => {
      socket.terminate();
      resolve("open");
    });
    socket.once("unexpected-response", (_, response) => resolve(response.statusCode!));
    socket.once("error", () => resolve(0));
  });
}

/** A client of one kernel's channels, in either framing. */
export async function channels(
  { server }: Tested,
  id: string,
  options: { protocol?: string; session?: string; received?: number } = {},
) {
  const { protocol = v1, session = "test", received } = options;
  const query = `session_id=${session}${received === undefined ? "" : `&received=${received}`}`;
  const socket = new WebSocket(
    `ws://127.0.0.1:${server.port}/api/kernels/${id}/channels?${query}`,
    protocol ? [protocol] : [],
    {
      headers: { authorization: `token ${server.token}` },
    },
  );
  const { encode, decode } = framing(protocol);
  const messages = messageFactory(session);
  const seen: { channel: string; message: Message }[] = [];
  const waiting = new Set<() => void>();
  socket.on("message", (data: Buffer, binary: boolean) => {
    seen.push(decode(binary ? data : data.toString()));
    for (const wake of waiting) wake();
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  async function until<T>(found: () => T | undefined): Promise<T> {
    for (;;) {
      const value = found();
      if (value !== undefined) return value;
      await new Promise<void>((resolve) => {
        const wake = () => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    }
  }
  function say(channel: Channel, type: string, content: Record<string, unknown>, buffers: Uint8Array[] = []): string {
    const message = messages.childOf(undefined, type, content, { buffers });
    socket.send(encode(channel, message));
    return message.header.msg_id;
  }
  const about = (id: string) =>
    seen.filter(({ message }) => (message.parent_header as { msg_id?: string }).msg_id === id);
  return {
    socket,
    seen,
    say,
    until,
    about,
    execute: (code: string) =>
      say("shell", "execute_request", {
        code,
        silent: false,
        store_history: true,
        allow_stdin: true,
        stop_on_error: true,
      }),
    /** The reply to a request, once the kernel is idle after it. */
    async reply(to: string): Promise<Record<string, Json>> {
      await until(() =>
        about(to).find(
          ({ message }) => message.header.msg_type === "status" && message.content.execution_state === "idle",
        ),
      );
      return (await until(() => about(to).find(({ message }) => message.header.msg_type.endsWith("_reply")))).message
        .content;
    },
    text: (of: string) =>
      about(of)
        .filter(({ message }) => message.header.msg_type === "stream")
        .map(({ message }) => String(message.content.text))
        .join(""),
  };
}
