/** The kernel as Jupyter starts it: a connection file in, sockets open, gone when Jupyter is gone. */
import { randomUUID } from "node:crypto";
import { openChannels } from "./channels.ts";
import { readConnection } from "./connection.ts";
import type { TypeErrors } from "./context.ts";
import { createKernel, type Kernel } from "./dispatcher.ts";
import type { Message } from "./messages.ts";

export interface StartOptions {
  preload?: string;
  typeErrors?: TypeErrors;
}

export async function startKernel(connectionFile: string, options: StartOptions = {}): Promise<Kernel> {
  const connection = readConnection(connectionFile);
  const session = randomUUID();
  const early: ["shell" | "control" | "stdin", Message][] = [];
  let kernel: Kernel | undefined;
  const channels = await openChannels(connection, session, (channel, message) =>
    kernel ? kernel.receive(channel, message) : void early.push([channel, message]),
  );
  const exit = (code: number) => {
    channels.close();
    process.exit(code);
  };
  const started = createKernel({
    ...options,
    warmTypes: options.typeErrors !== "off",
    session,
    send: channels.send,
    drained: channels.drained,
    // The reply to the shutdown must be on its way before the sockets close.
    onExit: () => setTimeout(() => exit(0), 50),
  });
  kernel = started;
  for (const [channel, message] of early) kernel.receive(channel, message);

  process.on("SIGINT", () => started.interrupt());
  process.on("SIGTERM", () => void started.close().then(() => exit(0)));
  // A message nobody expected must not end a session: what the user computed is in it.
  process.on("uncaughtException", (error) => console.error(error));
  process.on("unhandledRejection", (error) => console.error(error));
  watchParent(() => void started.close().then(() => exit(0)));
  return started;
}

/** Ends the kernel when the server that started it is gone. */
function watchParent(gone: () => void): void {
  const parent = Number(process.env.JPY_PARENT_PID ?? 0);
  if (!(parent > 1)) return;
  const timer = setInterval(() => {
    try {
      process.kill(parent, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") return;
      clearInterval(timer);
      gone();
    }
  }, 1000);
  timer.unref();
}
