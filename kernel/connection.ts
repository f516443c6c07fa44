/** The connection file: where the sockets are and the key that signs. */
import { randomUUID } from "node:crypto";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";

export interface Connection {
  transport: "tcp" | "ipc";
  ip: string;
  key: string;
  signature_scheme: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
  kernel_name?: string;
}

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|::1|\[::1\])$/;
const ports = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"] as const;

/** @throws when a field is missing or the address is not on this machine. */
export function readConnection(path: string): Connection {
  const file = JSON.parse(readFileSync(path, "utf8")) as Partial<Connection>;
  for (const port of ports) {
    if (!Number.isInteger(file[port]))
      throw new TypeError(`connection file: ${port} must be a port number, got ${String(file[port])}`);
  }
  const connection = {
    transport: "tcp",
    ip: "127.0.0.1",
    key: "",
    signature_scheme: "hmac-sha256",
    ...file,
  } as Connection;
  if (connection.transport === "tcp" && !loopback.test(connection.ip)) {
    throw new RangeError(
      `connection file: ip must be a loopback address, got ${connection.ip}; whoever reaches the sockets can run code`,
    );
  }
  if (typeof connection.key !== "string" || (connection.key === "" && connection.transport === "tcp")) {
    throw new TypeError("connection file: key must not be empty; unsigned messages would run anybody's code");
  }
  // The key is in it: nobody else may read it.
  if (process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  return connection;
}

/** Writes a connection file with free ports and a fresh key; for tests and tools that start the kernel themselves. */
export async function createConnection(path: string): Promise<Connection> {
  const servers = await Promise.all(
    ports.map(
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const free = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  const connection: Connection = {
    transport: "tcp",
    ip: "127.0.0.1",
    key: randomUUID(),
    signature_scheme: "hmac-sha256",
    ...(Object.fromEntries(ports.map((name, i) => [name, free[i]!])) as Record<(typeof ports)[number], number>),
  };
  writeFileSync(path, JSON.stringify(connection), { mode: 0o600 });
  return connection;
}
