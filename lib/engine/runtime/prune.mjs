// Run once when the published package is installed: of the copies of ONNX Runtime for every platform, this machine's stays.
// Where install scripts are off nothing is missing; the package is then larger. In a clone there is nothing to do.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../../native/bin/napi-v6/", import.meta.url)); // seen from dist/lib/engine/runtime
const { platform, arch } = process;
if (existsSync(`${bin}${platform}/${arch}`)) {
  const others = [
    ...readdirSync(bin).filter((name) => name !== platform),
    ...readdirSync(`${bin}${platform}`).flatMap((name) => (name === arch ? [] : `${platform}/${name}`)),
  ];
  for (const other of others) {
    try {
      rmSync(`${bin}${other}`, { recursive: true });
    } catch {} // it only takes room
  }
}
