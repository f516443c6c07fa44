import type { Handler } from "../context.ts";
import { kernelInfo as info } from "../kernel-info.ts";

export const kernelInfo: Handler = () => info();
