/** The package as a stranger has it: what an install takes on disk, and how long `import "thalweg"` takes in a process of its own. */
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { missing, root, stranger } from "../package/stranger.ts";
import { record } from "../support/reference.ts";

if (missing) throw new Error(`bench: the package is required; ${missing}`);
const there = stranger();
const size = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

writeFileSync(
  join(there.folder, "start.js"),
  `const [at, cpu] = [performance.now(), process.cpuUsage()];
  await import("thalweg");
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify([performance.now() - at, (user + system) / 1000]));
  process.exit(0);`,
);
const repeats = 15;
const busy = loadavg()[0]!;
const times = Array.from({ length: repeats }, () => JSON.parse(there.run("node", ["start.js"])) as [number, number]);
const column = (j: 0 | 1) => {
  const sorted = times.map((row) => row[j]).sort((a, b) => a - b);
  return { min: Math.round(sorted[0]!), median: Math.round(sorted[sorted.length >> 1]!) };
};
const tsx = ["tsx", "esbuild", "@esbuild"].reduce(
  (sum, name) => sum + size(join(there.folder, "node_modules", name)),
  0,
);
const tarball = readdirSync(join(root, "out")).find((name) => /^thalweg-.*\.tgz$/.test(name))!;
const figures = {
  machine: `${cpus().length} × ${cpus()[0]!.model}`,
  "processes that wanted the machine": Math.round(busy),
  megabytes: {
    tarball: megabytes(statSync(join(root, "out", tarball)).size),
    installed: megabytes(size(join(there.folder, "node_modules")) - tsx),
    "of which thalweg": megabytes(size(join(there.folder, "node_modules/thalweg"))),
  },
  importMilliseconds: { repeats, clock: column(0), processor: column(1) },
};
there.remove();
console.log(JSON.stringify(figures, null, 2));
record("package", figures);
