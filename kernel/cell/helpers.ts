/**
 * swc lowers decorators and `using` with helpers of its own (`_apply_decs_…`, `env`). At the top of a cell they would land in the
 * session and meet the user's names there: here they get names that belong to the cell.
 */
import { type AnyNode, parse } from "acorn";
import { type Edited, edits } from "./edits.ts";

/** @returns undefined when the code has no helpers, which is nearly always. */
export function renameHelpers(code: string, run: number): Edited | undefined {
  if (!/_ts_add_disposable_resource|_apply_decs/.test(code)) return undefined;
  const program = parse(code, { ecmaVersion: "latest", sourceType: "module", allowAwaitOutsideFunction: true });
  const e = edits(code);
  const helpers = new Set<string>();
  const own = (name: string) => `${name}__${run}`;

  /** A decorated class is first bound as it was written: bind what its decorators made of it. */
  function decorated(name: string, statement: AnyNode): void {
    if (!new RegExp(`c: \\[_${name},`).test(code.slice(statement.start, statement.end))) return;
    helpers.add(`_${name}`);
    e.after(statement.end, `void (${name} = ${own(`_${name}`)});`);
  }

  for (const statement of program.body) {
    if (statement.type === "FunctionDeclaration" && /^_(ts|apply)_/.test(statement.id.name))
      helpers.add(statement.id.name);
    if (statement.type === "ClassDeclaration") decorated(statement.id.name, statement);
    if (statement.type !== "VariableDeclaration") continue;
    for (const { id, init } of statement.declarations) {
      if (id.type !== "Identifier") continue;
      const text = init ? code.slice(init.start, init.end) : "";
      const isHelper =
        /^_(init|dec|computedKey|SuppressedError)/.test(id.name) || /^\{\s*stack: \[\],\s*error:/.test(text);
      if (isHelper) helpers.add(id.name);
      if (init?.type === "ClassExpression") decorated(id.name, statement);
    }
  }

  function rename(node: AnyNode, key?: string): void {
    if (node.type === "Identifier" && helpers.has(node.name) && key !== "property" && key !== "key") {
      e.replace(node.start, node.end, own(node.name));
    }
    const computed = (node as { computed?: boolean }).computed === true;
    for (const [childKey, value] of Object.entries(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (typeof (child as AnyNode | null)?.type === "string")
          rename(child as AnyNode, computed ? undefined : childKey);
      }
    }
  }
  rename(program);
  return e.apply("", "");
}
