/** tslab's module, for notebooks written for it: `import * as tslab from "tslab"`. */
import { display, newDisplay } from "./display.ts";

const shim = { display, newDisplay, versions: { tslab: "1.0.22", node: process.version, typescript: "" } };

export const tslab = { ...shim, default: shim };
