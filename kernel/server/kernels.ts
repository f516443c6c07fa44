/** The kernels that run: each is the dispatcher in this process with the user's code in a process of its own. */
import { randomUUID } from "node:crypto";
import type { WebSocket } from "ws";
import type { TypeErrors } from "../context.ts";
import { createKernel, type Kernel } from "../dispatcher.ts";
import type { Message } from "../messages.ts";
import { kernelspec } from "../notebook/nbformat.ts";
import { type Client, client } from "./client.ts";
import { framing } from "./framing.ts";
import { HttpError } from "./http.ts";

export interface KernelOptions {
  preload?: string;
  typeErrors?: TypeErrors;
}

export interface KernelModel {
  id: string;
  name: string;
  last_activity: string;
  execution_state: string;
  connections: number;
}

interface Running {
  id: string;
  cwd: string;
  packages?: string;
  kernel: Kernel;
  clients: Map<string, Client>;
  lastActivity: Date;
  state: string;
}

/** A kernel that was started ahead waits so long. */
const spareMs = 60_000;

export type Kernels = ReturnType<typeof kernels>;

export function kernels(options: KernelOptions, onGone: (id: string) => void = () => {}) {
  const running = new Map<string, Running>();
  /** The server ends: a request that comes now must not leave a process behind. */
  let ending = false;
  /** A kernel that is started before it is asked for. */
  let spare: Running | undefined;

  function launch(entry: Omit<Running, "kernel">): Kernel {
    const kernel: Kernel = createKernel({
      ...options,
      warmTypes: options.typeErrors !== "off",
      cwd: entry.cwd,
      ...(entry.packages === undefined ? {} : { packages: entry.packages }),
      session: `${entry.id}-${randomUUID().slice(0, 8)}`,
      send(channel, message) {
        entry.lastActivity = new Date();
        if (message.header.msg_type === "status") entry.state = String(message.content.execution_state);
        if (channel !== "iopub") return entry.clients.get(addressee(message))?.send(channel, message);
        const sent = [...entry.clients.values()]
          .map((to) => to.send(channel, message))
          .filter((wait) => wait !== undefined);
        if (sent.length > 0) return Promise.all(sent).then(() => {});
      },
      // Asked for over the protocol, as jupyter_console and tests do.
      onExit: (restart) => void (restart ? relaunch(entry.id) : stop(entry.id)).catch(() => {}),
    });
    return kernel;
  }

  function find(id: string): Running {
    const entry = running.get(id);
    if (!entry)
      throw new HttpError(404, `There is no kernel ${id}; it was shut down, or the server was started again.`);
    return entry;
  }

  async function relaunch(id: string): Promise<void> {
    const entry = find(id);
    await entry.kernel.close();
    if (ending || running.get(id) !== entry) return;
    entry.state = "starting";
    entry.kernel = launch(entry);
  }

  async function stop(id: string): Promise<void> {
    const entry = find(id);
    running.delete(id);
    onGone(id);
    await entry.kernel.close();
    for (const attached of entry.clients.values()) attached.close();
  }

  function create(cwd: string, packages?: string): Running {
    const entry = {
      id: randomUUID(),
      cwd,
      ...(packages === undefined ? {} : { packages }),
      clients: new Map<string, Client>(),
      lastActivity: new Date(),
      state: "starting",
    };
    return Object.assign(entry, { kernel: launch(entry) });
  }

  /** The spare one, if it is for that folder. */
  function takeSpare(cwd: string): Running | undefined {
    if (spare?.cwd !== cwd) return undefined;
    const taken = spare;
    spare = undefined;
    return taken;
  }

  const model = (entry: Running): KernelModel => ({
    id: entry.id,
    name: kernelspec.name,
    last_activity: entry.lastActivity.toISOString(),
    execution_state: entry.state,
    connections: [...entry.clients.values()].filter(({ connected }) => connected).length,
  });

  return {
    /** @param packages the folder of packages that the notebook pins, where they were installed. */
    start(name: unknown, cwd: string, packages?: string): KernelModel {
      if (name !== undefined && name !== null && name !== "" && name !== kernelspec.name)
        throw new HttpError(
          404,
          `There is no kernel ${String(name)} here; this server has ${kernelspec.display_name}.`,
        );
      if (ending) throw new HttpError(503, "The server is ending.");
      const started = (packages === undefined ? takeSpare(cwd) : undefined) ?? create(cwd, packages);
      running.set(started.id, started);
      return model(started);
    },
    /** Starts a kernel for who will ask for one in that folder soon; who does not come within a minute is not waited for. */
    prepare(cwd: string): void {
      if (ending || spare) return;
      const made = create(cwd);
      spare = made;
      setTimeout(() => {
        if (spare === made) void takeSpare(cwd)?.kernel.close();
      }, spareMs).unref();
    },
    get: (id: string) => model(find(id)),
    has: (id: string) => running.has(id),
    list: () => [...running.values()].map(model),
    interrupt: (id: string) => find(id).kernel.interrupt(),
    restart: relaunch,
    stop,
    /** For good: none is started after this. */
    async stopAll(): Promise<void> {
      ending = true;
      await Promise.all([spare?.kernel.close(), ...[...running.keys()].map(stop)]);
    },
    /** Connects a page; the same `session` again is the same page. */
    connect(id: string, socket: WebSocket, session: string, received?: number): void {
      const entry = find(id);
      const key = `${session} ${socket.protocol}`;
      const page = entry.clients.get(key) ?? client(socket.protocol);
      entry.clients.set(key, page);
      const { decode } = framing(socket.protocol);
      socket.on("message", (data: Buffer, isBinary: boolean) => {
        try {
          const { channel, message } = decode(isBinary ? data : data.toString("utf8"));
          message.idents = [Buffer.from(key)];
          entry.lastActivity = new Date();
          if (channel === "shell" || channel === "control" || channel === "stdin")
            entry.kernel.receive(channel, message);
        } catch (error) {
          socket.close(1003, (error instanceof Error ? error.message : "not a message").slice(0, 120));
        }
      });
      socket.once("close", (code: number) => {
        // Who says goodbye does not come back; who vanishes may.
        if ((code === 1000 || code === 1001) && entry.clients.get(key) === page && !page.connected)
          entry.clients.delete(key);
      });
      page.attach(socket, received);
    },
  };
}

/** The page that a reply goes to: the one whose request it answers. */
const addressee = (message: Message): string => (message.idents[0] ? Buffer.from(message.idents[0]).toString() : "");
