/** Records asked with SQL, by DuckDB where it is installed. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DataFrame, type FrameValue, frame } from "../metrics/frame.ts";
import type { Listed } from "./parts/listing.ts";

/** What is used of DuckDB. */
interface Duck {
  readonly DuckDBInstance: {
    create(path: string): Promise<{ connect(): Promise<Connection>; closeSync(): void }>;
  };
}
interface Connection {
  run(sql: string): Promise<unknown>;
  runAndReadAll(sql: string): Promise<{ columnNames(): string[]; getRowsJS(): unknown[][] }>;
  closeSync(): void;
}

const runColumns: Readonly<Record<keyof Listed, string>> = {
  key: "VARCHAR",
  name: "VARCHAR",
  seed: "BIGINT",
  hash: "VARCHAR",
  tasks: "BIGINT",
  device: "VARCHAR",
  code: "VARCHAR",
  origin: "VARCHAR",
  until: "VARCHAR",
  finished: "BOOLEAN",
  date: "TIMESTAMP",
  steps: "BIGINT",
  seconds: "DOUBLE",
  averageAccuracy: "DOUBLE",
  averageIncrementalAccuracy: "DOUBLE",
  forgetting: "DOUBLE",
  prequentialAccuracy: "DOUBLE",
  folder: "VARCHAR",
  spec: "JSON",
};

/** Runs a query over the runs listed and the logs below a folder. */
export async function query(store: string, rows: readonly Listed[], sql: string): Promise<DataFrame> {
  const { DuckDBInstance } = await duckdb();
  const folder = mkdtempSync(join(tmpdir(), "thalweg-sql-"));
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const file = join(folder, "runs.jsonl");
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    for (const view of views(file, store, sql, rows)) await connection.run(view);
    const result = await connection.runAndReadAll(sql);
    const names = result.columnNames();
    const found = result.getRowsJS();
    return frame(Object.fromEntries(names.map((name, i) => [name, found.map((row) => plain(row[i]))])));
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The tables: the list of runs, and the logs where a query speaks of them: ten thousand files are not looked for in vain. */
function views(file: string, store: string, sql: string, rows: readonly Listed[]): string[] {
  const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  const columns = Object.entries(runColumns).map(([name, type]) => `"${name}": '${type}'`);
  const logs = `read_json(${text(join(store, "*-seed*-*", "events.jsonl"))}, format = 'newline_delimited', records = false, columns = {event: 'JSON'}, filename = true, ignore_errors = true)`;
  const events = `select right(parse_dirpath(filename), 16) as key, event->>'type' as type, (event->>'step')::BIGINT as step, event from ${logs}`;
  const field = (name: string, type: string, as = name): string => `(event->>'${name}')::${type} as "${as}"`;
  const evaluated = [
    field("at", "VARCHAR", "moment"),
    field("after", "BIGINT"),
    field("on", "BIGINT", "task"),
    field("examples", "BIGINT"),
    ...["accuracy", "taskAware", "taskAgnostic", "loss"].map((name) => field(name, "DOUBLE")),
  ];
  const any = rows.some(({ folder }) => existsSync(join(store, folder, "events.jsonl")));
  const list = `create view runs as select * from read_json(${text(file)}, format = 'newline_delimited', columns = {${columns.join(", ")}})`;
  if (!/\b(events|evaluations|steps|probes)\b/i.test(sql)) return [list];
  return [
    list,
    any
      ? `create view events as ${events}`
      : "create view events as select '' as key, '' as type, 0::BIGINT as step, '{}'::JSON as event where false",
    `create view evaluations as select key, step, ${evaluated.join(", ")} from events where type = 'evaluated'`,
    `create view steps as select key, step, ${field("experience", "BIGINT")}, ${field("epoch", "BIGINT")}, ${field("loss", "DOUBLE")}, ${field("examples", "BIGINT")}, ${field("accuracy", "DOUBLE")} from events where type = 'step'`,
    `create view probes as select key, step, ${field("experience", "BIGINT")}, ${field("name", "VARCHAR")}, ${field("layer", "VARCHAR")}, ${field("on", "BIGINT", "task")}, ${field("value", "DOUBLE")} from events where type = 'probed'`,
  ];
}

function plain(value: unknown): FrameValue {
  if (typeof value === "bigint") return Number(value);
  if (value === null || value === undefined || value instanceof Date) return value;
  return typeof value === "object" ? JSON.stringify(value) : (value as FrameValue);
}

async function duckdb(): Promise<Duck> {
  const name = "@duckdb/node-api";
  try {
    return (await import(name)) as Duck;
  } catch (error) {
    throw new Error(`sql: the package ${name} is required, got none; install it with npm install ${name}`, {
      cause: error,
    });
  }
}
