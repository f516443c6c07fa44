/** The kernel in process, driven as a frontend drives it, with every message kept and checked against its schema. */
import { mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKernel, type KernelOptions } from "../../../kernel/dispatcher.ts";
import { type Bundle, type Channel, type Content, type Message, messageFactory } from "../../../kernel/messages.ts";
import { checkMessage } from "./schemas.ts";

export interface Sent {
  channel: Channel;
  message: Message;
  /** ms since the kernel was made. */
  at: number;
}

export interface Answer {
  reply: Content;
  /** What came on iopub for this request, in order. */
  messages: Message[];
  stdout: string;
  stderr: string;
  /** text/plain of the result. */
  result: string | undefined;
  /** Bundles shown by display_data. */
  displays: Bundle[];
  error: { ename: string; evalue: string; traceback: string[] } | undefined;
}

export const temporaryFolder = () => realpathSync(mkdtempSync(join(tmpdir(), "kernel-test-")));

export function testKernel(options: Partial<KernelOptions> & { onInput?: (prompt: string) => string } = {}) {
  const sent: Sent[] = [];
  const watchers = new Set<() => void>();
  const messages = messageFactory();
  const start = performance.now();
  const kernel = createKernel({
    typeErrors: "off",
    cwd: options.cwd ?? tmpdir(),
    ...options,
    send(channel, message) {
      checkMessage(channel, message);
      sent.push({ channel, message, at: performance.now() - start });
      if (message.header.msg_type === "input_request" && options.onInput) {
        kernel.receive(
          "stdin",
          messages.childOf(message, "input_reply", {
            status: "ok",
            value: options.onInput(String(message.content.prompt)),
          }),
        );
      }
      for (const watcher of [...watchers]) watcher();
    },
  });

  /** Settles when `found` finds something in what was sent. */
  function until<T>(found: () => T | undefined, what: string, ms = 30_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        watchers.delete(look);
        reject(new Error(`no ${what} within ${ms} ms`));
      }, ms);
      const look = () => {
        const value = found();
        if (value === undefined) return;
        clearTimeout(timer);
        watchers.delete(look);
        resolve(value);
      };
      watchers.add(look);
      look();
    });
  }

  const parentOf = (message: Message) => (message.parent_header as { msg_id?: string }).msg_id;

  function request(
    type: string,
    content: Content = {},
    { channel = "shell" as "shell" | "control", metadata = {} } = {},
  ) {
    const message = messages.childOf(undefined, type, content, { metadata });
    kernel.receive(channel, message);
    const id = message.header.msg_id;
    const mine = () => sent.filter((s) => parentOf(s.message) === id);
    const iopub = () =>
      mine()
        .filter((s) => s.channel === "iopub")
        .map((s) => s.message);
    return {
      id,
      iopub,
      reply: (ms?: number) =>
        until(() => mine().find((s) => s.channel === channel)?.message.content, `reply to ${type}`, ms),
      idle: (ms?: number) =>
        until(
          () => iopub().find((m) => m.header.msg_type === "status" && m.content.execution_state === "idle"),
          `idle after ${type}`,
          ms,
        ),
      /** Settles when something of this type came for the request. */
      saw: (msgType: string, test: (content: Content) => boolean = () => true, ms?: number) =>
        until(() => iopub().find((m) => m.header.msg_type === msgType && test(m.content)), msgType, ms),
    };
  }

  function start_(code: string, content: Content = {}, metadata: Content = {}) {
    const all = {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: options.onInput !== undefined,
      stop_on_error: true,
      ...content,
    };
    const made = request("execute_request", all, { metadata });
    return {
      ...made,
      async done(ms?: number): Promise<Answer> {
        const reply = await made.reply(ms);
        await made.idle(ms);
        const got = made.iopub();
        const text = (name: string) =>
          got
            .filter((m) => m.header.msg_type === "stream" && m.content.name === name)
            .map((m) => m.content.text)
            .join("");
        const data = (type: string) =>
          got.filter((m) => m.header.msg_type === type).map((m) => m.content.data as Bundle);
        return {
          reply,
          messages: got,
          stdout: text("stdout"),
          stderr: text("stderr"),
          result: data("execute_result")[0]?.["text/plain"] as string | undefined,
          displays: data("display_data"),
          error: got.find((m) => m.header.msg_type === "error")?.content as Answer["error"],
        };
      },
    };
  }

  return {
    kernel,
    sent,
    request,
    until,
    start: start_,
    execute: (code: string, content?: Content, metadata?: Content) => start_(code, content, metadata).done(),
    async interrupt() {
      await request("interrupt_request", {}, { channel: "control" }).reply();
    },
    close: () => kernel.close(),
  };
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
