import type { Handler } from "../context.ts";
import type { Request } from "../debug/adapter.ts";

/** The content of a request and of its reply are the Debug Adapter Protocol's. */
export const debug: Handler = ({ debug: adapter }, { content }) => adapter.request(content as unknown as Request);
