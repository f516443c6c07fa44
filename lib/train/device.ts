/** What a run is computed by. */
import { engine } from "../engine/index.ts";

/** The name of the device in use, as `engine.use` takes it. */
export const deviceName = (): string => engine.device;
