/** What the Jupyter protocol 5.4 says of every message a kernel sends, written from its specification. Nothing more and nothing less may be sent. */
import type { Channel, Message } from "../../../kernel/messages.ts";

type Check = (value: unknown) => boolean;
interface Field {
  check: Check;
  optional?: boolean;
}
type Schema = Record<string, Field | Check>;

const string: Check = (v) => typeof v === "string";
const boolean: Check = (v) => typeof v === "boolean";
const integer: Check = (v) => Number.isInteger(v);
const record: Check = (v) => typeof v === "object" && v !== null && !Array.isArray(v);
const one =
  (...values: unknown[]): Check =>
  (v) =>
    values.includes(v);
const list =
  (item: Check): Check =>
  (v) =>
    Array.isArray(v) && v.every(item);
const optional = (check: Check): Field => ({ check, optional: true });

/** Keys are MIME types; text types hold text; every bundle has a text form, so that a terminal can show it. */
const bundle: Check = (v) =>
  record(v) &&
  Object.entries(v as object).every(
    ([mime, content]) => /^[\w.+-]+\/[\w.+-]+$/.test(mime) && (/json$/.test(mime) || typeof content === "string"),
  );
const display: Check = (v) => bundle(v) && typeof (v as Record<string, unknown>)["text/plain"] === "string";

const failure: Schema = { ename: string, evalue: string, traceback: list(string) };
const ok = (fields: Schema): Schema => ({ status: one("ok"), ...fields });

const executeReply: Record<string, Schema> = {
  ok: ok({ execution_count: integer, payload: list(record), user_expressions: record }),
  error: {
    status: one("error"),
    execution_count: integer,
    ...failure,
    payload: list(record),
    user_expressions: record,
  },
  aborted: { status: one("aborted"), execution_count: integer, payload: list(record), user_expressions: record },
};

const replies: Record<string, Schema> = {
  kernel_info_reply: ok({
    protocol_version: one("5.4"),
    implementation: string,
    implementation_version: string,
    language_info: (v) =>
      record(v) &&
      ["name", "version", "mimetype", "file_extension"].every((k) => string((v as Record<string, unknown>)[k])),
    banner: string,
    debugger: boolean,
    help_links: list((v) => record(v) && string((v as { text: unknown }).text) && string((v as { url: unknown }).url)),
  }),
  complete_reply: ok({ matches: list(string), cursor_start: integer, cursor_end: integer, metadata: record }),
  inspect_reply: ok({ found: boolean, data: bundle, metadata: record }),
  is_complete_reply: { status: one("complete", "incomplete", "invalid", "unknown"), indent: optional(string) },
  history_reply: ok({ history: list((v) => Array.isArray(v) && v.length === 3 && integer(v[0]) && integer(v[1])) }),
  comm_info_reply: ok({
    comms: (v) =>
      record(v) &&
      Object.values(v as object).every((c) => record(c) && string((c as { target_name: unknown }).target_name)),
  }),
  connect_reply: ok({}),
  interrupt_reply: ok({}),
  shutdown_reply: ok({ restart: boolean }),
  debug_reply: {
    type: one("response"),
    seq: integer,
    request_seq: integer,
    command: string,
    success: boolean,
    body: record,
    message: optional(string),
  },
  // As jupyter-resource-usage asks it.
  usage_reply: {
    hostname: string,
    pid: integer,
    kernel_memory: () => true,
    host_virtual_memory: record,
    device: optional(string),
    progress: optional(() => true),
  },
  // Ours: which cells are stale.
  stale_reply: ok({
    stale: record,
    run: optional(list(string)),
    told: optional(list(string)),
  }),
};

const published: Record<string, Schema> = {
  status: { execution_state: one("busy", "idle", "starting") },
  execute_input: { code: string, execution_count: integer },
  stream: { name: one("stdout", "stderr"), text: string },
  display_data: { data: display, metadata: record, transient: record },
  update_display_data: {
    data: display,
    metadata: record,
    transient: (v) => record(v) && string((v as { display_id: unknown }).display_id),
  },
  execute_result: { data: display, metadata: record, execution_count: integer },
  error: failure,
  clear_output: { wait: boolean },
  comm_open: { comm_id: string, target_name: string, data: record },
  comm_msg: { comm_id: string, data: record },
  comm_close: { comm_id: string, data: record },
  debug_event: { type: one("event"), seq: integer, event: string, body: record },
  iopub_welcome: { subscription: string },
};

const header: Schema = {
  msg_id: string,
  session: string,
  username: string,
  date: (v) => !Number.isNaN(Date.parse(String(v))),
  msg_type: string,
  version: one("5.4"),
};

/** @throws when the message is not what the protocol allows on its channel. */
export function checkMessage(channel: Channel, message: Message): void {
  const type = message.header.msg_type;
  const schema = schemaOf(channel, message);
  if (!schema) throw new Error(`${type} must not be sent on ${channel}`);
  conform(`${type} header`, message.header as unknown as Record<string, unknown>, header);
  if (!record(message.metadata)) throw new Error(`${type}: metadata must be an object`);
  if (!["status", "iopub_welcome", "stream"].includes(type) && !("msg_id" in message.parent_header))
    throw new Error(`${type}: a parent is required`);
  conform(type, message.content, schema);
}

function schemaOf(channel: Channel, { header: { msg_type: type }, content }: Message): Schema | undefined {
  if (channel === "iopub") return published[type];
  if (channel === "stdin") return type === "input_request" ? { prompt: string, password: boolean } : undefined;
  if (type === "execute_reply") return executeReply[String(content.status)];
  return content.status === "error" ? { status: one("error"), ...failure } : replies[type];
}

function conform(what: string, content: Record<string, unknown>, schema: Schema): void {
  for (const [key, rule] of Object.entries(schema)) {
    const { check, optional: may = false } = typeof rule === "function" ? { check: rule } : rule;
    if (content[key] === undefined && may) continue;
    if (!check(content[key])) throw new Error(`${what}: ${key} is ${JSON.stringify(content[key])?.slice(0, 200)}`);
  }
  for (const key of Object.keys(content))
    if (!(key in schema)) throw new Error(`${what}: ${key} is not in the protocol`);
}
