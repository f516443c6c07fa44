/** What `test` in a cell shows, for those who count. */
import type { CellOutput } from "./nbformat.ts";

export const testMime = "application/vnd.thalweg.test+json";

export interface TestResult {
  name: string;
  outcome: "passed" | "failed" | "skipped";
  ms: number;
  error?: { ename: string; evalue: string; traceback: string[] };
}

export const testResult = (output: CellOutput): TestResult | undefined =>
  "data" in output ? (output.data[testMime] as TestResult | undefined) : undefined;
