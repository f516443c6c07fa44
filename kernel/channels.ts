/** The five sockets. The only file that knows zeromq. */
import * as zmq from "zeromq";
import type { Connection } from "./connection.ts";
import { type Channel, type Message, messageFactory } from "./messages.ts";
import { wire } from "./wire.ts";

export interface Channels {
  send(channel: Channel, message: Message): Promise<void>;
  /** Settles when no request waits unread on the shell socket. */
  drained(): Promise<void>;
  close(): void;
}

/** A frontend that stops reading may hold up the output of cells this long per message, and no longer. */
const patienceMs = 5000;

export async function openChannels(
  connection: Connection,
  session: string,
  receive: (channel: "shell" | "control" | "stdin", message: Message) => void,
): Promise<Channels> {
  const { encode, decode } = wire(connection.key, connection.signature_scheme);
  const messages = messageFactory(session);
  const options = { linger: 200, routingId: session };
  const shell = new zmq.Router(options);
  const control = new zmq.Router(options);
  const stdin = new zmq.Router(options);
  // verbosity: every subscription is told, so that each subscriber can be welcomed. noDrop: a full pipe waits, nothing is lost.
  const iopub = new zmq.XPublisher({ linger: 200, verbosity: "allSubs", sendHighWaterMark: 1000 });
  iopub.noDrop = true;
  const heartbeat = new zmq.Router({ linger: 0 });
  const sockets = { shell, control, stdin, iopub, heartbeat };
  const at = (port: number) =>
    connection.transport === "ipc" ? `ipc://${connection.ip}-${port}` : `tcp://${connection.ip}:${port}`;
  await Promise.all([
    heartbeat.bind(at(connection.hb_port)),
    shell.bind(at(connection.shell_port)),
    control.bind(at(connection.control_port)),
    stdin.bind(at(connection.stdin_port)),
    iopub.bind(at(connection.iopub_port)),
  ]);
  let closed = false;
  let received = 0;

  for (const [name, socket] of [
    ["shell", shell],
    ["control", control],
    ["stdin", stdin],
  ] as const) {
    void (async () => {
      for await (const frames of socket) {
        if (name === "shell") received++;
        let message: Message;
        try {
          message = decode(frames);
        } catch {
          continue; // Unsigned, replayed or malformed: as if it had never come.
        }
        receive(name, message);
      }
    })().catch(() => {});
  }
  void (async () => {
    for await (const frames of heartbeat) await heartbeat.send(frames);
  })().catch(() => {});
  void (async () => {
    for await (const [frame] of iopub) {
      if (frame?.[0] !== 1) continue;
      // JEP 65: a subscriber learns that it is subscribed, and need not guess whether it missed something.
      const subscription = frame.subarray(1).toString();
      await send("iopub", messages.childOf(undefined, "iopub_welcome", { subscription }), subscription);
    }
  })().catch(() => {});

  /** One send at a time per socket, in the order of the calls. */
  const last: Record<string, Promise<void>> = {};
  function send(
    channel: Channel,
    message: Message,
    topic = `kernel.${session}.${message.header.msg_type}`,
  ): Promise<void> {
    const frames = channel === "iopub" ? encode(message, topic) : encode(message);
    const socket = sockets[channel];
    const sent = (last[channel] ?? Promise.resolve()).then(async () => {
      if (closed) return;
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patienceMs);
      });
      await Promise.race([socket.send(frames).catch(() => {}), patience]);
      clearTimeout(timer);
    });
    last[channel] = sent;
    return sent;
  }

  return {
    send,
    async drained() {
      for (let quiet = 0, before = received; quiet < 3; quiet++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (received !== before || shell.readable) {
          before = received;
          quiet = -1;
        }
      }
    },
    close() {
      closed = true;
      for (const socket of Object.values(sockets)) socket.close();
    },
  };
}
