/** The library that this package's own kernel starts with: the sources in a clone, the built files when published. */
import { fileURLToPath } from "node:url";

export function ownLibrary(): string {
  const self = new URL(import.meta.url);
  return fileURLToPath(new URL(self.pathname.endsWith(".ts") ? "../lib/index.ts" : "../lib/index.js", self));
}
