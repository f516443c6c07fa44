/** The compiler, loaded by `require`: through `import`, a loader of TypeScript sources would read its 9 MB once more. */
import { createRequire } from "node:module";
import type compiler from "typescript";

export const typescript = createRequire(import.meta.url)("typescript") as typeof compiler;
