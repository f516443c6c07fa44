import type { Handler } from "../context.ts";

/** Deprecated since 5.1, still part of the protocol; the ports are known to whoever could ask. */
export const connect: Handler = () => ({ status: "ok" });
