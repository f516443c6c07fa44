/** What clients of the kernel share, in process and over sockets: looking for messages among those that came, and what a cell asks for. */
import type { Content, Message } from "../../../kernel/messages.ts";

/** Messages as they came, and waiting for those to come. */
export function inbox<T extends { channel: string; message: Message }>() {
  const got: T[] = [];
  const watchers = new Set<() => void>();

  /** Settles when `find` finds something. */
  function until<F>(find: () => F | undefined, what: string, ms = 30_000): Promise<F> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        watchers.delete(look);
        reject(new Error(`no ${what} within ${ms} ms`));
      }, ms);
      const look = () => {
        const found = find();
        if (found === undefined) return;
        clearTimeout(timer);
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
    });
  }

  return {
    got,
    until,
    put(item: T): void {
      got.push(item);
      for (const watcher of [...watchers]) watcher();
    },
    /** The answers to a request. */
    answers(id: string, type: string, channel: "shell" | "control", ms?: number) {
      const mine = () => got.filter((g) => (g.message.parent_header as { msg_id?: string }).msg_id === id);
      const iopub = () =>
        mine()
          .filter((g) => g.channel === "iopub")
          .map((g) => g.message);
      return {
        id,
        mine,
        iopub,
        reply: (limit = ms) =>
          until(() => mine().find((g) => g.channel === channel)?.message.content, `reply to ${type}`, limit),
        idle: (limit = ms) =>
          until(() => iopub().find((m) => m.content.execution_state === "idle"), `idle after ${type}`, limit),
        /** Settles when something of this type came for the request. */
        saw: (msgType: string, test: (content: Content) => boolean = () => true, limit = ms) =>
          until(() => iopub().find((m) => m.header.msg_type === msgType && test(m.content)), msgType, limit),
      };
    },
  };
}

/** The content of an execute request. */
export const executeContent = (code: string, content: Content = {}): Content => ({
  code,
  silent: false,
  store_history: true,
  user_expressions: {},
  allow_stdin: false,
  stop_on_error: true,
  ...content,
});
