#!/usr/bin/env node
// The `thalweg` command. In a clone the TypeScript sources run through tsx; in the published package the built files run as they are.
import { existsSync } from "node:fs";

const source = new URL("./cli.ts", import.meta.url);
const built = new URL("../dist/kernel/cli.js", import.meta.url);
const clone = existsSync(new URL("../.git", import.meta.url)) || !existsSync(built);

if (clone) {
  const { register } = await import("tsx/esm/api");
  register();
}
const { main } = await import((clone ? source : built).href);
await main(process.argv.slice(2));
