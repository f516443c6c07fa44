/** The browser's half of the controls: files of views/, sent to the page as the module of an anywidget. */
import { readFileSync } from "node:fs";

const read = new Map<string, string>();
const file = (name: string): string => {
  let text = read.get(name);
  if (text === undefined) read.set(name, (text = readFileSync(new URL(`./views/${name}`, import.meta.url), "utf8")));
  return text;
};

/** The module of a control: what all share, and its own `render`. */
export const viewModule = (kind: string): string => `${file("common.js")}\n${file(`${kind}.js`)}`;
export const viewStyle = (): string => file("controls.css");
