import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { TrackerOptions } from "./export-tensorboard.ts";
import { parameters, scalars } from "./parts/scalars.ts";
import type { Run } from "./run.ts";

const yaml = (fields: Record<string, string | number | readonly string[]>): string =>
  Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${typeof value === "number" ? value : JSON.stringify(value)}\n`)
    .join("");

/**
 * Writes a run into a folder as MLflow keeps runs in files: `mlflow ui --backend-store-uri folder`, or `mlflow.search_runs` with that
 * tracking URI. An experiment is named after the run, each seed is a run of it, with parameters, metrics by step and its seed as a tag.
 * Nothing is sent anywhere. MLflow 3.13 and later refuse folders; versions before it read them.
 *
 * @returns the folders of the runs.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { blobs, classes, exportMlflow, mlp } from "thalweg";
 * const folder = mkdtempSync("/tmp/tracked-");
 * const run = await classes(blobs()).split(2).learn(mlp({ hidden: [8] })).run({ quiet: true, record: false });
 * exportMlflow(run, folder).length; // 1
 * ```
 */
export function exportMlflow(run: Run, folder: string, { at = Date.now() }: TrackerOptions = {}): string[] {
  const id = (text: string) => createHash("sha256").update(text).digest("hex");
  // MLflow's ids of experiments are numbers of at most 18 digits.
  const experiment = String(BigInt(`0x${id(`${run.name} ${run.hash}`).slice(0, 14)}`)).padStart(18, "1");
  const home = join(folder, experiment);
  const put = (file: string, text: string): void => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  const times = { creation_time: at, last_update_time: at };
  const uri = (path: string) => pathToFileURL(resolve(path)).href;
  const about = { artifact_location: uri(home), experiment_id: experiment, lifecycle_stage: "active" };
  put(join(home, "meta.yaml"), yaml({ ...about, ...times, name: `${run.name} ${run.hash.slice(0, 8)}` }));
  return run.logs.map(({ seed, events }) => {
    const found = scalars(events, run.tasks);
    const runId = id(`${run.name} ${run.hash} ${seed}`).slice(0, 32);
    const place = join(home, runId);
    const name = `seed ${seed}`;
    const last = found.reduce((most, { step }) => Math.max(most, step), 0);
    put(
      join(place, "meta.yaml"),
      yaml({
        ...{ artifact_uri: uri(join(place, "artifacts")), experiment_id: experiment, lifecycle_stage: "active" },
        ...{ run_id: runId, run_uuid: runId, run_name: name, user_id: userInfo().username, tags: [] },
        ...{ entry_point_name: "", source_name: "", source_type: 4, source_version: "" },
        ...{ status: 3, start_time: at, end_time: at + last },
      }),
    );
    mkdirSync(join(place, "artifacts"), { recursive: true });
    const lines = new Map<string, string[]>();
    for (const { tag, step, value } of found) {
      const all = lines.get(tag) ?? [];
      lines.set(tag, all);
      all.push(`${at + step} ${value} ${step}\n`);
    }
    for (const [tag, all] of lines) put(join(place, "metrics", tag), all.join(""));
    for (const [key, value] of [["seed", String(seed)] as const, ...parameters(run.spec)])
      put(join(place, "params", key), value);
    const tags = { "mlflow.runName": name, "mlflow.user": userInfo().username, "mlflow.source.type": "LOCAL" };
    for (const [key, value] of Object.entries(tags)) put(join(place, "tags", key), value);
    return place;
  });
}
