/** Trains the small study into a folder: what the crash test kills. `npx tsx tests/runs/crash.ts FOLDER` */
import { small } from "./support.ts";

await small().train({ epochs: 25 }).run({ quiet: true, record: process.argv[2]!, checkpointSeconds: 0.05 });
