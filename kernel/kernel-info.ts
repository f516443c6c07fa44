/** Who we are. */
import { readFileSync } from "node:fs";
import { protocolVersion } from "./messages.ts";

/** The package's version; package.json is one folder up in a clone and two in the built package. */
export const version: string = (() => {
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as { version: string }).version;
    } catch {}
  }
  return "0.0.0";
})();

export const languageInfo = {
  name: "typescript",
  version: "6.0.3",
  mimetype: "text/x-typescript",
  file_extension: ".ts",
  pygments_lexer: "typescript",
  codemirror_mode: { name: "javascript", typescript: true },
  nbconvert_exporter: "script",
} as const;

export const kernelInfo = () => ({
  status: "ok",
  protocol_version: protocolVersion,
  implementation: "thalweg",
  implementation_version: version,
  language_info: languageInfo,
  banner: `Thalweg ${version}: TypeScript on Node ${process.versions.node}`,
  debugger: true,
  help_links: [{ text: "TypeScript", url: "https://www.typescriptlang.org/docs/" }],
});
