/** How further processes and threads of the kernel are started: from the TypeScript sources in a clone, from the built files otherwise. */
import { fileURLToPath } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/** A module of the kernel, `./child/main`, with the Node flags it needs. */
export function entry(name: string): { file: string; url: URL; flags: string[] } {
  const self = new URL(import.meta.url);
  const typescript = self.pathname.endsWith(".ts");
  const url = new URL(`${name}${typescript ? ".ts" : ".js"}`, self);
  return { file: fileURLToPath(url), url, flags: typescript ? ["--import", import.meta.resolve("tsx")] : [] };
}

/** A thread that runs a module of the kernel. Threads do not inherit the loader of TypeScript: the sources bring their own. */
export function thread(name: string, options: WorkerOptions): Worker {
  const { url, flags } = entry(name);
  if (flags.length === 0) return new Worker(url, options);
  const api = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const source = `import(${api}).then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); });`;
  return new Worker(source, { ...options, eval: true });
}
