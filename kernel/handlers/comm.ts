import type { Handler } from "../context.ts";
import type { Message } from "../messages.ts";
import type { CommCommand } from "../protocol.ts";

export const commInfo: Handler = ({ comms }, { content }) => {
  const wanted = [...comms].filter(
    ([, target]) =>
      content.target_name === undefined ||
      content.target_name === null ||
      content.target_name === "" ||
      target === content.target_name,
  );
  return { status: "ok", comms: Object.fromEntries(wanted.map(([id, target]) => [id, { target_name: target }])) };
};

/** comm_open, comm_msg and comm_close have no reply: they go to the user's process. What comes of them is output in their name. */
export const comm: Handler = (context, request) => {
  context.output = { parent: request, silent: false, run: context.output?.run ?? 0 };
  return commNow(context, request);
};

/** The same while a cell runs: the output stays the cell's. */
export const commNow: Handler = (context, request) => {
  const type = request.header.msg_type as CommCommand["type"];
  const id = String(request.content.comm_id);
  if (type === "comm_open") context.comms.set(id, String(request.content.target_name));
  if (type === "comm_close") context.comms.delete(id);
  context.evaluator.send(command(request, context.output?.run ?? 0));
  return {};
};

const command = (request: Message, run: number): CommCommand => ({
  op: "comm",
  run,
  type: request.header.msg_type as CommCommand["type"],
  content: request.content,
  metadata: request.metadata,
  buffers: request.buffers.map((buffer) => Buffer.from(buffer).toString("base64")),
});
