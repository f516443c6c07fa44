/** What the kernel and the process that runs the user's code say to each other (frames.ts carries it). */
import type { Point } from "./debug/points.ts";
import type { Bundle, Content } from "./messages.ts";

/** File descriptors of the child beyond the usual three. */
export const fds = { events: 3, commands: 4, answers: 5, inspector: 6 } as const;

export interface ChildOptions {
  /** Module whose named exports are bindings of the session. */
  preload?: string;
  /** A folder whose `node_modules` is looked into first. */
  packages?: string;
  /** Printed on stdout and stderr at the end of each cell, so that the kernel knows when it has read all of their output. */
  marker: string;
}

export interface Execute {
  op: "execute";
  run: number;
  /** What stack frames call the cell. */
  name: string;
  code: string;
  expressions: Record<string, string>;
  stdin: boolean;
  /** Wait, once it is compiled, for breakpoints to be set. */
  debug?: boolean;
}

export interface CommCommand {
  op: "comm";
  run: number;
  type: "comm_open" | "comm_msg" | "comm_close";
  content: Content;
  metadata: Content;
  /** Base64. */
  buffers: string[];
}

export type ToChild =
  | Execute
  | CommCommand
  | { op: "interrupt" }
  | { op: "answer"; value: string }
  /** The breakpoints of the cell are set. */
  | { op: "go"; run: number }
  /** A question to V8's inspector, for the control thread; without a method, it lets go. */
  | { op: "inspect"; id: number; method?: string; params?: object };

/** What V8's inspector says, on a pipe of its own. */
export type FromInspector =
  | { id: number; result: Record<string, unknown> }
  | { id: number; error: string }
  | { method: string; params: Record<string, unknown> };

export interface ErrorContent {
  ename: string;
  evalue: string;
  traceback: string[];
}

export type ExpressionResult = { status: "ok"; data: Bundle; metadata: Content } | ({ status: "error" } & ErrorContent);

export type FromChild =
  | { op: "ready" }
  | { op: "started"; run: number }
  | { op: "compiled"; run: number; name: string; source: string; points: Point[] }
  | { op: "preloaded"; names: string[]; url?: string; package?: string; error?: string }
  | { op: "stream"; name: "stdout" | "stderr"; text: string }
  | { op: "display"; data: Bundle; metadata: Content; displayId?: string; update: boolean }
  | { op: "clear"; wait: boolean }
  /** What the library says of itself. */
  | { op: "status"; status: Content }
  | { op: "input"; prompt: string; password: boolean; sync: boolean }
  | {
      op: "comm";
      type: "comm_open" | "comm_msg" | "comm_close";
      content: Content;
      metadata: Content;
      buffers: string[];
    }
  | {
      op: "done";
      run: number;
      error?: ErrorContent;
      data?: Bundle;
      metadata?: Content;
      expressions: Record<string, ExpressionResult>;
    };
