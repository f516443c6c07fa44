/** The kernel in process, driven as a frontend drives it, with every message kept and checked against its schema. */
import { mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKernel, type KernelOptions } from "../../../kernel/dispatcher.ts";
import { type Bundle, type Channel, type Content, type Message, messageFactory } from "../../../kernel/messages.ts";
import { executeContent, inbox } from "./messages.ts";
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
  const { got: sent, put, until, answers } = inbox<Sent>();
  const messages = messageFactory();
  const start = performance.now();
  const kernel = createKernel({
    typeErrors: "off",
    cwd: options.cwd ?? tmpdir(),
    ...options,
    send(channel, message) {
      checkMessage(channel, message);
      put({ channel, message, at: performance.now() - start });
      if (message.header.msg_type === "input_request" && options.onInput) {
        kernel.receive(
          "stdin",
          messages.childOf(message, "input_reply", {
            status: "ok",
            value: options.onInput(String(message.content.prompt)),
          }),
        );
      }
    },
  });

  function request(
    type: string,
    content: Content = {},
    { channel = "shell" as "shell" | "control", metadata = {} } = {},
  ) {
    const message = messages.childOf(undefined, type, content, { metadata });
    kernel.receive(channel, message);
    return answers(message.header.msg_id, type, channel);
  }

  function start_(code: string, content: Content = {}, metadata: Content = {}) {
    const all = executeContent(code, { allow_stdin: options.onInput !== undefined, ...content });
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
