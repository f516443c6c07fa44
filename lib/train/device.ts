/** What a run is computed by. */
import { engine } from "../engine/index.ts";

/** The name of the device in use, as `engine.use` takes it, and what else a run depends on: `cuda+tf32`. */
export const deviceName = (): string => [engine.device, engine.variant].filter(Boolean).join("+");
