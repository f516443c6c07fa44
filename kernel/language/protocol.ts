/** Questions to the language service's thread and its answers. */
import type { Diagnostic } from "./diagnostics.ts";

export interface SessionOptions {
  cwd: string;
  /** The folder of packages that the notebook pins. */
  packages?: string;
}

export interface Match {
  text: string;
  kind: string;
  signature: string;
}

export interface Completions {
  matches: Match[];
  /** UTF-16 offsets of the text that a match replaces. */
  start: number;
  end: number;
}

export interface Completeness {
  status: "complete" | "incomplete" | "invalid" | "unknown";
  indent?: string;
}

export interface Questions {
  complete: { question: { code: string; cursor: number }; answer: Completions };
  inspect: { question: { code: string; cursor: number }; answer: Record<string, string> | undefined };
  isComplete: { question: { code: string }; answer: Completeness };
  check: { question: { run: number; name: string; code: string; keep: boolean }; answer: Diagnostic[] };
  /** A cell of before: what it declares, without looking for errors in it again. */
  declare: { question: { run: number; name: string; code: string }; answer: undefined };
  /** The cell did not run: its names are those of before. */
  forget: { question: { run: number }; answer: undefined };
  preloaded: { question: { names: string[]; url: string | undefined; package: string | undefined }; answer: undefined };
}

/** What needs no answer, and is told again to a session that begins anew. */
export type Told = { [K in "declare" | "preloaded"]: { op: K; question: Questions[K]["question"] } }[
  | "declare"
  | "preloaded"];

/** To the session that sits at a seat. */
export type Question =
  | { seat: number; op: "open"; options: SessionOptions }
  | { seat: number; op: "close" }
  | { [K in keyof Questions]: { seat: number; id: number; op: K } & Questions[K]["question"] }[keyof Questions];
