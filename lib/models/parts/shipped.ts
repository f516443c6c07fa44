/** The trained networks that come with the library. */
import { fileURLToPath } from "node:url";

/** Their names. */
export const shipped = ["resnet-small", "vit-small"] as const;

const scheme = "pretrained:";

/** What stands for one of them in JSON, wherever the library lies. */
export function shippedFile(name: (typeof shipped)[number]): string {
  return scheme + name;
}

/** The folder that a file of JSON stands for: its own, or where the library has the network. */
export function folderOf(file: string): string {
  const name = file.startsWith(scheme) ? file.slice(scheme.length) : "";
  return (shipped as readonly string[]).includes(name)
    ? fileURLToPath(new URL(`../files/${name}`, import.meta.url))
    : file;
}
