/** What is kept are small parts beside a frozen network: prompts, low-rank changes, bottlenecks. */
// Written by `npm run gen`.
export * from "./l2p.ts";
