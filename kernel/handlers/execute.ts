/** Runs one cell. Busy, idle and the queue are the dispatcher's. */
import type { Context, Handler } from "../context.ts";
import { type Diagnostic, excerpts } from "../language/diagnostics.ts";
import type { Content, ExecuteRequest, Message } from "../messages.ts";
import type { ErrorContent } from "../protocol.ts";

/** @throws TypeError when the content is not an execute request. */
export function executeRequest(content: Content): ExecuteRequest {
  if (typeof content.code !== "string")
    throw new TypeError(`execute_request: code must be a string, got ${typeof content.code}`);
  const flag = (name: string, preset: boolean) =>
    typeof content[name] === "boolean" ? (content[name] as boolean) : preset;
  const silent = flag("silent", false);
  const expressions = typeof content.user_expressions === "object" ? (content.user_expressions ?? {}) : {};
  return {
    code: content.code,
    silent,
    store_history: !silent && flag("store_history", true),
    user_expressions: Object.fromEntries(Object.entries(expressions).map(([name, code]) => [name, String(code)])),
    allow_stdin: flag("allow_stdin", true),
    stop_on_error: flag("stop_on_error", true),
  };
}

/** The name that `name?`, `?name` or `name??` asks about. */
export function asksForHelp(code: string): string | undefined {
  const [, before, name, after] = /^\s*(\?{0,2})\s*([\w$.]+)\s*(\?{0,2})\s*$/.exec(code) ?? [];
  return before || after ? name : undefined;
}

export const execute: Handler = async (context, message) => {
  let request: ExecuteRequest;
  try {
    request = executeRequest(message.content);
  } catch (error) {
    const { name: ename, message: evalue } = error as Error;
    const failed = { status: "error", execution_count: context.count, ename, evalue, traceback: [evalue] };
    return { ...failed, payload: [], user_expressions: {} };
  }
  const { code, silent } = request;
  const run = context.nextRun();
  if (request.store_history) context.count++;
  const execution_count = context.count;
  context.output = { parent: message, silent, run };
  if (!silent) await context.publish("execute_input", { code, execution_count }, message);

  const name = asksForHelp(code);
  if (name !== undefined) {
    const data = await context.language.inspect(name, name.length);
    const payload = [{ source: "page", data: data ?? { "text/plain": `${name} is not known here.` }, start: 0 }];
    return { status: "ok", execution_count, payload, user_expressions: {} };
  }
  if (code.trim() === "") return { status: "ok", execution_count, payload: [], user_expressions: {} };
  if (request.store_history) context.history.add(execution_count, code);

  const file = request.store_history ? `cell_${execution_count}.ts` : `silent_${run}.ts`;
  const fail = async (error: ErrorContent) => {
    await context.flush();
    if (!silent) await context.publish("error", { ...error }, message);
    return { status: "error", execution_count, ...error, payload: [], user_expressions: {} };
  };

  const checked =
    context.typeErrors === "off" ? undefined : context.language.check(run, file, code, request.store_history);
  if (context.typeErrors === "block") {
    const errors = (await checked!).filter((d) => d.severity === "error");
    if (errors.length > 0) return fail(typeError(errors));
  }
  const warned = checked?.then((found) => (found.length > 0 && !silent ? warn(context, message, found) : undefined));
  const done = await context.evaluator.execute({
    run,
    name: file,
    code,
    expressions: request.user_expressions,
    stdin: request.allow_stdin,
    ...(context.debug.attached && request.store_history ? { debug: true } : {}),
  });
  if (done.error) context.language.failed(run, done.error);
  if (request.store_history) await follow(context, message, request.code, done.error);
  if (warned) {
    context.checking.add(warned);
    void warned.finally(() => context.checking.delete(warned));
    if (context.awaitTypes) await warned;
  }
  if (done.error) return fail(done.error);
  await context.flush();
  if (done.data && !silent) {
    if (request.store_history && typeof done.data["text/plain"] === "string")
      context.history.setOutput(execution_count, done.data["text/plain"]);
    await context.publish(
      "execute_result",
      { execution_count, data: done.data, metadata: done.metadata ?? {} },
      message,
    );
  }
  return { status: "ok", execution_count, payload: [], user_expressions: done.expressions };
};

/** What the run made of the cells that use its names. */
async function follow(
  context: Context,
  message: Message,
  code: string,
  error: ErrorContent | undefined,
): Promise<void> {
  if (error?.ename === "ProcessEnded") context.stale.restarted();
  const { cellId } = message.metadata as { cellId?: unknown };
  // A cell that was no TypeScript did nothing.
  if (typeof cellId !== "string" || error?.ename === "SyntaxError" || error?.ename === "ProcessEnded") return;
  context.stale.ran(cellId, code, context.count);
  const news = context.stale.news(cellId);
  if (news === undefined) return;
  await context.flush();
  const metadata = { thalweg: { stale: context.stale.stale() } };
  await context.publish("stream", { name: "stderr", text: `${news}\n` }, message, { metadata });
}

async function warn(context: Context, parent: Message, found: Diagnostic[]): Promise<void> {
  await context.publish("stream", { name: "stderr", text: `${excerpts(found)}\n` }, parent);
}

function typeError(errors: Diagnostic[]): ErrorContent {
  const evalue = errors.length === 1 ? errors[0]!.message : `${errors[0]!.message} (and ${errors.length - 1} more)`;
  return { ename: "TypeScriptError", evalue, traceback: [excerpts(errors)] };
}
