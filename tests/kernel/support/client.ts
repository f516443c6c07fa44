/** A Jupyter client over real sockets, for the few tests that need them. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import * as zmq from "zeromq";
import { type Connection, createConnection } from "../../../kernel/connection.ts";
import { type Channel, type Content, type Message, messageFactory } from "../../../kernel/messages.ts";
import { wire } from "../../../kernel/wire.ts";
import { temporaryFolder } from "./kernel.ts";
import { executeContent, inbox } from "./messages.ts";

export interface StartedKernel {
  process: ChildProcess;
  connection: Connection;
  stop(): void;
}

/** Starts the installed form of the kernel: kernel/bin.mjs with a connection file. */
export async function startProcess(...flags: string[]): Promise<StartedKernel> {
  const file = join(temporaryFolder(), "connection.json");
  const connection = await createConnection(file);
  const bin = new URL("../../../kernel/bin.mjs", import.meta.url).pathname;
  const child = spawn(process.execPath, [bin, "kernel", file, "--no-preload", "--types", "off", ...flags], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, JPY_PARENT_PID: String(process.pid) },
  });
  return { process: child, connection, stop: () => void child.kill("SIGKILL") };
}

export function connect(connection: Connection, key = connection.key) {
  const { encode, decode } = wire(key);
  const messages = messageFactory();
  const routingId = randomUUID();
  const sockets = {
    shell: new zmq.Dealer({ routingId, linger: 0 }),
    control: new zmq.Dealer({ routingId, linger: 0 }),
    stdin: new zmq.Dealer({ routingId, linger: 0 }),
    iopub: new zmq.Subscriber({ linger: 0, receiveHighWaterMark: 0 }),
    hb: new zmq.Request({ linger: 0 }),
  };
  for (const [name, socket] of Object.entries(sockets))
    socket.connect(`tcp://127.0.0.1:${connection[`${name}_port` as "hb_port"]}`);
  sockets.iopub.subscribe();
  const { got, put, until, answers } = inbox<{ channel: Channel; message: Message }>();
  for (const channel of ["shell", "control", "stdin", "iopub"] as const) {
    void (async () => {
      for await (const frames of sockets[channel]) put({ channel, message: decode(frames) });
    })().catch(() => {});
  }
  // One send at a time per socket: zeromq.js refuses a second while the first is under way.
  const last: Record<string, Promise<unknown>> = {};
  const raw = (channel: "shell" | "control" | "stdin", frames: Uint8Array[]) =>
    (last[channel] = (last[channel] ?? Promise.resolve()).then(() => sockets[channel].send(frames)));

  return {
    got,
    until,
    raw,
    encode,
    message: (type: string, content: Content = {}) => messages.childOf(undefined, type, content),
    async request(channel: "shell" | "control", type: string, content: Content = {}, ms?: number) {
      const message = messages.childOf(undefined, type, content);
      await raw(channel, encode(message));
      return answers(message.header.msg_id, type, channel, ms);
    },
    async execute(code: string, content: Content = {}, ms?: number) {
      const made = await this.request("shell", "execute_request", executeContent(code, content), ms);
      const reply = await made.reply();
      await made.idle();
      return { reply, messages: made.iopub() };
    },
    async heartbeat(): Promise<number> {
      const started = performance.now();
      await sockets.hb.send("ping");
      await sockets.hb.receive();
      return performance.now() - started;
    },
    close() {
      for (const socket of Object.values(sockets)) socket.close();
    },
  };
}
