/** `thalweg repl`: the kernel in a terminal. */
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { TypeErrors } from "../context.ts";
import { createKernel } from "../dispatcher.ts";
import { kernelInfo } from "../kernel-info.ts";
import { type Content, type Message, messageFactory } from "../messages.ts";
import { toPoints, toUnits } from "../text.ts";
import { preloadOption, typesOption } from "./options.ts";

export const usage = `thalweg repl [--preload module | --no-preload] [--types warn|block|off]
  A session in the terminal. Tab completes, name? explains, Ctrl-C interrupts, Ctrl-D leaves.`;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: { preload: { type: "string" }, "no-preload": { type: "boolean" }, types: { type: "string" } },
  });
  return session({ ...preloadOption(values), typeErrors: typesOption(values.types) }, process.stdin, process.stdout);
}

export async function session(
  options: { preload?: string; typeErrors?: TypeErrors },
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<number> {
  const messages = messageFactory();
  const waiting = new Map<string, (content: Content) => void>();
  const kernel = createKernel({
    ...options,
    warmTypes: (output as Partial<NodeJS.WriteStream>).isTTY === true,
    send(channel, message) {
      if (channel === "iopub") show(message);
      else if (channel === "stdin") question(message);
      else waiting.get((message.parent_header as { msg_id?: string }).msg_id ?? "")?.(message.content);
    },
  });
  const ask = (type: string, content: Content): Promise<Content> => {
    const request = messages.childOf(undefined, type, content);
    return new Promise((resolve) => {
      waiting.set(request.header.msg_id, (reply) => {
        waiting.delete(request.header.msg_id);
        resolve(reply);
      });
      kernel.receive("shell", request);
    });
  };

  function show({ header, content }: Message): void {
    const data = (content.data ?? {}) as Content;
    if (header.msg_type === "stream") output.write(String(content.text));
    else if (header.msg_type === "error") output.write(`${(content.traceback as string[]).join("\n")}\n`);
    else if (/^(display_data|update_display_data|execute_result)$/.test(header.msg_type) && data["text/plain"])
      output.write(`${String(data["text/plain"])}\n`);
  }
  function question(message: Message): void {
    // Nobody is left to answer.
    if (ended) kernel.interrupt();
    else
      lines.question(String(message.content.prompt), (value) =>
        kernel.receive("stdin", messages.childOf(message, "input_reply", { value, status: "ok" })),
      );
  }

  const terminal = (output as Partial<NodeJS.WriteStream>).isTTY === true;
  const lines = createInterface({
    input,
    output,
    terminal,
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      const code = pending + line;
      void ask("complete_request", { code, cursor_pos: toPoints(code, code.length) }).then((reply) => {
        const start = toUnits(code, Number(reply.cursor_start));
        done(null, [reply.matches as string[], code.slice(start)]);
      });
    },
  });
  let pending = "";
  let busy = false;
  let ended = false;
  let count = 1;
  const ready = () => {
    // Piped input may be at its end long before what it said is done; there is nobody to prompt then.
    if (ended) return;
    lines.setPrompt(terminal ? (pending === "" ? `${count}> ` : "… ") : "");
    lines.prompt();
  };
  output.write(`${kernelInfo().banner}\n`);
  ready();

  return new Promise((resolve) => {
    let work = Promise.resolve();
    const enter = async (line: string) => {
      pending += line;
      const { status } = await ask("is_complete_request", { code: pending });
      // An empty line ends what is not finished: the error will say what is missing.
      if (status === "incomplete" && line.trim() !== "") {
        pending += "\n";
        return ready();
      }
      const code = pending;
      pending = "";
      if (code.trim() === "") return ready();
      busy = true;
      const reply = await ask("execute_request", {
        code,
        silent: false,
        store_history: true,
        user_expressions: {},
        allow_stdin: true,
        stop_on_error: true,
      });
      for (const page of (reply.payload as { data?: Content }[] | undefined) ?? [])
        output.write(`${String(page.data?.["text/plain"] ?? "")}\n`);
      count = Number(reply.execution_count) + 1;
      busy = false;
      ready();
    };
    lines.on("line", (line) => {
      work = work.then(() => enter(line));
    });
    lines.on("SIGINT", () => {
      if (busy) kernel.interrupt();
      else {
        pending = "";
        output.write("\n");
        ready();
      }
    });
    lines.on("close", () => {
      ended = true;
      void work.then(() => kernel.close()).then(() => resolve(0));
    });
  });
}
