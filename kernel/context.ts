/** What a request handler can see and do. */
import type { Adapter } from "./debug/adapter.ts";
import type { Evaluator } from "./evaluator.ts";
import type { Tracker } from "./handlers/stale.ts";
import type { History } from "./history.ts";
import type { Language } from "./language/client.ts";
import type { Content, Message } from "./messages.ts";

/** `warn`: type errors appear under the cell as they are found. `block`: a cell with type errors does not run. */
export type TypeErrors = "warn" | "block" | "off";

export interface Context {
  readonly evaluator: Evaluator;
  readonly language: Language;
  readonly history: History;
  readonly typeErrors: TypeErrors;
  /** Whether a cell's end waits for what the type checker says of it (for executors that close the cell then). */
  readonly awaitTypes: boolean;
  /** Type checks whose findings were not shown yet. */
  readonly checking: Set<Promise<void>>;
  /** Open comms: id → target. */
  readonly comms: Map<string, string>;
  /** Which cells show what the notebook no longer says. */
  readonly stale: Tracker;
  readonly debug: Adapter;
  /** What the library in the user's process said of itself last: its device, how far a run is. */
  readonly told: Content;
  /** Cells executed so far: the number of the last one. */
  count: number;
  /** The run in progress, or else the last one: what output that comes now belongs to. */
  output: { parent: Message; silent: boolean; run: number } | undefined;
  nextRun(): number;
  publish(type: string, content: Content, parent: Message | undefined, extra?: Partial<Message>): void | Promise<void>;
  send(channel: "shell" | "control" | "stdin", type: string, content: Content, parent: Message): void;
  /** All text so far is on its way to the frontend. */
  flush(): Promise<void>;
  /** Leave; `restart` as the frontend said it. */
  exit(restart: boolean): void;
}

export type Handler = (context: Context, request: Message) => Content | Promise<Content>;
