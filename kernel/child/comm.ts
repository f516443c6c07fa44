/** Comms: named channels between a cell and code in the frontend. */
import { randomUUID } from "node:crypto";
import type { Content } from "../messages.ts";
import type { CommCommand } from "../protocol.ts";
import { emit } from "./output.ts";

export interface Comm {
  readonly id: string;
  readonly target: string;
  send(data: unknown, options?: { metadata?: Content; buffers?: Uint8Array[] }): void;
  close(data?: unknown): void;
  /** Called with what the frontend sends. */
  onMessage?: (data: unknown, buffers: Uint8Array[]) => void;
  /** Called when the frontend closes. */
  onClose?: (data: unknown) => void;
}

type Target = (comm: Comm, data: unknown) => void;

const targets = new Map<string, Target>();
const comms = new Map<string, Comm>();

function send(
  type: "comm_open" | "comm_msg" | "comm_close",
  content: Content,
  metadata: Content = {},
  buffers: Uint8Array[] = [],
): void {
  emit({ op: "comm", type, content, metadata, buffers: buffers.map((b) => Buffer.from(b).toString("base64")) });
}

function create(id: string, target: string): Comm {
  const made: Comm = {
    id,
    target,
    send: (data, options = {}) =>
      send("comm_msg", { comm_id: id, data: data ?? {} }, options.metadata, options.buffers),
    close(data) {
      if (comms.delete(id)) send("comm_close", { comm_id: id, data: data ?? {} });
    },
  };
  comms.set(id, made);
  return made;
}

export const comm = {
  /** Frontends may open comms to `name`; `target` gets each. */
  register: (name: string, target: Target) => void targets.set(name, target),
  /** Opens a comm to the frontend's target `name`. */
  open(name: string, data: unknown = {}, options: { metadata?: Content; buffers?: Uint8Array[] } = {}): Comm {
    const made = create(randomUUID(), name);
    send("comm_open", { comm_id: made.id, target_name: name, data }, options.metadata, options.buffers);
    return made;
  },
};

export function receiveComm({ type, content, buffers }: CommCommand): void {
  const id = String(content.comm_id);
  const bytes = buffers.map((b) => Buffer.from(b, "base64"));
  if (type === "comm_open") {
    const target = targets.get(String(content.target_name));
    if (target) target(create(id, String(content.target_name)), content.data);
    else send("comm_close", { comm_id: id, data: {} });
    return;
  }
  const known = comms.get(id);
  if (type === "comm_msg") known?.onMessage?.(content.data, bytes);
  else {
    comms.delete(id);
    known?.onClose?.(content.data);
  }
}
