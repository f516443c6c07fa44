/** Fetches one of the wheels into the folder of the caller. */
import { download } from "../../../lib/engine/download.ts";
import { fileUrl, indexUrl } from "../../../lib/engine/gpu/package-index.ts";
import { wheels } from "../../../lib/engine/gpu/wheels.ts";

const wheel = wheels.find(({ file }) => file === process.argv[2]);
if (wheel === undefined) throw new Error(`fetch: one of our wheels is required, got ${process.argv[2]}`);
const url = await fileUrl(indexUrl(), wheel.package, wheel.file);
await download(url, wheel.file, { name: wheel.file, fileSha256: wheel.sha256 }, {});
