/**
 * One page's connection to one kernel. It outlives the socket: what is said while the page is away (a closed lid) waits, and what was
 * sent but not received is sent again. The page says how much it had received.
 */
import type { WebSocket } from "ws";
import type { Channel, Message } from "../messages.ts";
import { framing } from "./framing.ts";

export interface Client {
  readonly connected: boolean;
  /** Settles when the page keeps up: that is the kernel's back-pressure. */
  send(channel: Channel, message: Message): void | Promise<void>;
  /** @param received how many frames the page had received before; a page that does not count received what was sent. */
  attach(socket: WebSocket, received?: number): void;
  close(): void;
}

/** So much is kept for a page, sent or waiting; beyond it the oldest is given up. */
const keepBytes = 64 * 1024 * 1024;
/** More than this on its way to a page holds the kernel up, for so long per message at most. */
const aheadBytes = 4 * 1024 * 1024;
const patienceMs = 5000;

export function client(protocol: string): Client {
  const { encode } = framing(protocol);
  const kept: (string | Uint8Array)[] = [];
  let keptBytes = 0;
  /** Frames before the first that is kept. */
  let forgotten = 0;
  /** Frames that were given to a socket. */
  let sent = 0;
  let socket: WebSocket | undefined;

  const forget = () => {
    const frame = kept.shift()!;
    keptBytes -= frame.length;
    forgotten++;
  };

  return {
    get connected() {
      return socket !== undefined;
    },
    send(channel, message) {
      const frame = encode(channel, message);
      kept.push(frame);
      keptBytes += frame.length;
      while (keptBytes > keepBytes && kept.length > 1) forget();
      const receiver = socket;
      if (!receiver) return undefined;
      receiver.send(frame);
      sent = forgotten + kept.length;
      return receiver.bufferedAmount > aheadBytes ? drained(receiver) : undefined;
    },
    attach(next, received = sent) {
      socket?.close(1000, "replaced");
      socket = next;
      next.once("close", () => {
        if (socket === next) socket = undefined;
      });
      while (forgotten < received && kept.length > 0) forget();
      if (forgotten > received && received > 0)
        console.error(`${forgotten - received} messages of a kernel were given up: a page was away for too long.`);
      for (const frame of kept) next.send(frame);
      sent = forgotten + kept.length;
    },
    close() {
      socket?.close(1000, "the kernel is gone");
      socket = undefined;
    },
  };
}

async function drained(socket: WebSocket): Promise<void> {
  const end = Date.now() + patienceMs;
  while (socket.bufferedAmount > aheadBytes && socket.readyState === socket.OPEN && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 10));
}
