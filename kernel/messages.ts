/** The messages of the Jupyter protocol, version 5.4: their shape, and how one is made in answer to another. */
import { randomUUID } from "node:crypto";

export const protocolVersion = "5.4";

export type Channel = "shell" | "control" | "iopub" | "stdin";

export interface Header {
  msg_id: string;
  session: string;
  username: string;
  date: string;
  msg_type: string;
  version: string;
}

export type Content = Record<string, unknown>;

/** A MIME bundle: one value in several forms, the frontend shows the richest it knows. */
export type Bundle = Record<string, unknown>;

export interface Message<C = Content> {
  /** Routing prefix of zeromq's ROUTER sockets; empty in process. */
  idents: Uint8Array[];
  header: Header;
  parent_header: Header | Record<string, never>;
  metadata: Record<string, unknown>;
  content: C;
  buffers: Uint8Array[];
}

export interface ExecuteRequest {
  code: string;
  silent: boolean;
  store_history: boolean;
  user_expressions: Record<string, string>;
  allow_stdin: boolean;
  stop_on_error: boolean;
}

export type Execution = "idle" | "busy" | "starting";

/** Makes messages that name `session` as their sender. */
export function messageFactory(session: string = randomUUID()) {
  let count = 0;
  return {
    session,
    /** A message in answer to `parent` (or on nobody's behalf), routed back to where the parent came from. */
    childOf(parent: Message | undefined, type: string, content: Content, extra: Partial<Message> = {}): Message {
      return {
        idents: parent?.idents ?? [],
        header: {
          msg_id: `${session}_${count++}`,
          session,
          username: "kernel",
          date: new Date().toISOString(),
          msg_type: type,
          version: protocolVersion,
        },
        parent_header: parent?.header ?? {},
        metadata: {},
        content,
        buffers: [],
        ...extra,
      };
    },
  };
}

export type MessageFactory = ReturnType<typeof messageFactory>;
