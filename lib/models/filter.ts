/** Which parameters: by path, by kind, or by a function of both. */
import type { Json } from "../data/dataset.ts";
import { type Parameter, type ParameterKind, parameterKinds } from "./parameters.ts";

/**
 * Selects parameters. A text is a path or the beginning of one (`"stem"`, `"1-dense/bias"`), where `*` stands for any characters
 * (`"stage*"`, `"*bias"`); a regular expression is looked for in the path; `{ kind: "norm" }` selects by kind; a function decides for each;
 * a list selects what any of its filters does; `{ not: filter }` what the filter does not.
 *
 * Paths are those of `parameters(model, input)`; of the whole network also with "model/" before them, and "head/…", "added/…".
 */
export type Filter =
  | string
  | RegExp
  | { readonly pattern: string; readonly flags?: string }
  | { readonly kind: ParameterKind | readonly ParameterKind[] }
  | { readonly not: Filter }
  | ((parameter: Parameter) => boolean)
  | readonly Filter[];

/**
 * Selects what a filter does not.
 *
 * @example
 * ```ts
 * import { net, not, parameters, selected } from "thalweg";
 * selected("here", not({ kind: "weight" }), parameters(net().dense(3), [2])).map((p) => p.path); // ["1-dense/bias"]
 * ```
 */
export function not(filter: Filter): { readonly not: Filter } {
  return { not: filter };
}

/** Whether a filter selects a parameter. */
export function selects(filter: Filter, parameter: Parameter): boolean {
  if (typeof filter === "function") return filter(parameter);
  if (isList(filter)) return filter.some((one) => selects(one, parameter));
  if (typeof filter === "object" && "kind" in filter) return [filter.kind].flat().includes(parameter.kind);
  if (typeof filter === "object" && "not" in filter) return !selects(filter.not, parameter);
  const [full, short] = [parameter.path, parameter.path.replace(/^model\//, "")];
  const pattern = patternOf(filter);
  return pattern.test(full) || pattern.test(short);
}

function patternOf(filter: string | RegExp | { readonly pattern: string; readonly flags?: string }): RegExp {
  if (filter instanceof RegExp) return new RegExp(filter.source, filter.flags.replace(/[gy]/g, ""));
  if (typeof filter === "object") return new RegExp(filter.pattern, filter.flags);
  const escaped = filter
    .replace(/\/$/, "")
    .split("*")
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}(/|$)`);
}

/**
 * The parameters that a filter selects, in order.
 *
 * @throws RangeError when it selects none; the sentence names the paths that are nearest to what was asked for.
 *
 * @example
 * ```ts
 * import { mlp, parameters, selected } from "thalweg";
 * selected("here", "*bias", parameters(mlp({ hidden: [4, 3] }), [2])).map((p) => p.shape[0]); // [4, 3]
 * ```
 */
export function selected<P extends Parameter>(where: string, filter: Filter, among: readonly P[]): readonly P[] {
  requireFilter(where, filter);
  const found = among.filter((parameter) => selects(filter, parameter));
  if (found.length > 0) return found;
  throw new RangeError(
    `${where}: a filter that selects a parameter is required, got ${described(filter)}; ${nearest(filter, among)}`,
  );
}

/** A filter in words. */
export function described(filter: Filter): string {
  if (typeof filter === "function") return "a function";
  return filter instanceof RegExp ? String(filter) : JSON.stringify(filterJson("filter", filter, true));
}

/** What there is, nearest first. */
function nearest(filter: Filter, among: readonly Parameter[]): string {
  if (among.length === 0) return "there are no parameters";
  const texts = namesIn(filter);
  if (texts.length === 0)
    return `there are the kinds ${[...new Set(among.map(({ kind }) => kind))].join(", ")}, and paths such as ${among[0]!.path}`;
  const known = new Set(among.flatMap(({ path }) => path.split("/").map((_, i, all) => all.slice(0, i + 1).join("/"))));
  const far = (path: string): number => Math.min(...texts.map((text) => distance(text.replaceAll("*", ""), path)));
  const near = [...known].map((path) => [far(path), path] as const).sort(([a], [b]) => a - b);
  return `the nearest paths are ${near
    .slice(0, 4)
    .map(([, path]) => path)
    .join(", ")}`;
}

function namesIn(filter: Filter): string[] {
  if (typeof filter === "string") return [filter];
  return isList(filter) ? filter.flatMap(namesIn) : [];
}

/** How many letters have to be put in, taken out or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/**
 * A filter as plain JSON, which is itself a filter: for the record of an experiment.
 *
 * @throws TypeError for a function, which cannot be written down, unless `anyway`: two that look alike may select other parameters.
 */
export function filterJson(where: string, filter: Filter, anyway = false): Json {
  requireFilter(where, filter);
  if (typeof filter === "string") return filter;
  if (filter instanceof RegExp) return { pattern: filter.source, ...(filter.flags !== "" && { flags: filter.flags }) };
  if (typeof filter === "function") {
    if (anyway) return "a function";
    throw new TypeError(
      `${where}: a filter that can stand in the record of a study is required, got a function; give the paths that it selects, parameters(model, shape).filter(…).map((p) => p.path)`,
    );
  }
  if (isList(filter)) return filter.map((one) => filterJson(where, one, anyway));
  return "not" in filter ? { not: filterJson(where, filter.not, anyway) } : ({ ...filter } as Json);
}

/** Throws unless something is a filter. */
function requireFilter(where: string, filter: Filter): void {
  if (isList(filter)) {
    for (const one of filter) requireFilter(where, one);
    return;
  }
  if ((typeof filter === "string" && filter !== "") || typeof filter === "function" || filter instanceof RegExp) return;
  if (filter !== null && typeof filter === "object") {
    if ("pattern" in filter) return;
    if ("not" in filter) {
      requireFilter(where, filter.not);
      return;
    }
    const kinds = "kind" in filter ? [filter.kind].flat() : [];
    if (kinds.length > 0 && kinds.every((kind) => parameterKinds.includes(kind))) return;
    if (kinds.length > 0)
      throw new TypeError(
        `${where}: a kind of parameter is required (${parameterKinds.join(", ")}), got ${JSON.stringify(kinds)}`,
      );
  }
  throw new TypeError(
    `${where}: a filter is required, got ${JSON.stringify(filter)}; give a path, a regular expression, { kind }, { not }, a function, or a list of these`,
  );
}

function isList(filter: Filter): filter is readonly Filter[] {
  return Array.isArray(filter);
}
