/**
 * JavaScript of one cell → the names it declares, and a script that gives an async function: the cell's body.
 *
 * The names are declared once, as `let`s of a script of their own, so that every cell and every closure means the same
 * variable. In the body a declaration is an assignment: anything may be declared again by anything. Functions move to the
 * top, imports become calls, the last expression reports its value, and every `await` passes a guard that stops a cancelled cell.
 */
import { type AnyNode, type Expression, type Identifier, type Pattern, type Program, parse } from "acorn";
import { type Edited, edits } from "./edits.ts";
import { children } from "./nodes.ts";
import { ownName, ownNames, renamed } from "./own-names.ts";

type Node = AnyNode;
type Scope = { run: string };

export interface Rewritten extends Edited {
  /** What the cell declares, for itself and for all cells after it, as scripts name it. */
  names: string[];
}

/**
 * @param run number of this execution: what the guards of its top-level awaits ask about.
 * @param known names that the cells before declared, as scripts name them.
 */
export function rewrite(code: string, run: number, known: ReadonlySet<string>): Rewritten {
  const program = parse(code, { ecmaVersion: "latest", sourceType: "module", allowAwaitOutsideFunction: true });
  const e = edits(code);
  const names = new Set<string>();
  /** Classes keep their own names, functions have none. */
  const kept = new Set<Node>();
  let prelude = "";

  for (const statement of program.body) {
    switch (statement.type) {
      case "ImportDeclaration":
        prelude += importText(statement);
        e.remove(statement.start, statement.end);
        break;
      case "ExportNamedDeclaration":
        if (statement.declaration) {
          e.remove(statement.start, statement.declaration.start);
          declaration(statement.declaration);
        } else {
          if (statement.source) {
            const exported = statement.specifiers.map((s) => [name(s.local), declared(name(s.exported))] as const);
            prelude += `({${exported.map(([from, to]) => `${JSON.stringify(from)}: ${to}`)}} = await __cell.import(${statement.source.raw}));`;
          }
          e.remove(statement.start, statement.end);
        }
        break;
      case "ExportAllDeclaration":
        if (statement.exported)
          prelude += `${declared(name(statement.exported))} = await __cell.import(${statement.source.raw});`;
        e.remove(statement.start, statement.end);
        break;
      case "ExportDefaultDeclaration":
        e.remove(statement.start, statement.start + "export default".length);
        if ("id" in statement.declaration && statement.declaration.id) declaration(statement.declaration as Node);
        else if (/^(Function|Class)Declaration$/.test(statement.declaration.type))
          parenthesize(statement.declaration.start, statement.declaration.end);
        break;
      default:
        declaration(statement);
    }
  }
  const last = lastExpression(program, code);
  if (last) {
    e.open(last.start, "__cell.last((");
    e.close(code[last.end - 1] === ";" ? last.end - 1 : last.end, "))");
  }
  walk(program, { run: String(run) }, true);
  const own = ownNames((name) => names.has(name) || known.has(name));
  if (own.size > 0)
    for (const { node, text } of renamed(program, own)) if (!kept.has(node)) e.replace(node.start, node.end, text);

  return { ...e.apply(`(async () => {"use strict";${prelude}`, "\n})"), names: [...names] };

  function declared(name: string): string {
    names.add(ownName(name));
    return ownName(name);
  }

  /** A declaration at the top of the cell → an assignment. A `var` may also stand deeper: `walk` finds those. */
  function declaration(node: Node): void {
    if (node.type === "VariableDeclaration" && node.kind !== "var") {
      e.remove(node.start, node.declarations[0]!.start);
      for (const { id, init, start, end } of node.declarations) {
        boundNames(id).forEach(declared);
        if (!init) e.close(end, " = void 0");
        else if (id.type === "ObjectPattern") parenthesize(start, end);
      }
    }
    if (!("id" in node) || node.id?.type !== "Identifier") return;
    const { id } = node;
    if (/^(Function|Class)Declaration$/.test(node.type)) kept.add(id);
    if (node.type === "ClassDeclaration") {
      e.open(node.start, `${declared(id.name)} = `);
      e.close(node.end, ";");
    }
    if (node.type === "FunctionDeclaration") {
      e.open(node.start, `${declared(id.name)} = `);
      // Anonymous, so that calls inside it see a later redeclaration, as calls of a declared function do; V8 names it after the variable.
      e.remove(id.start, id.end);
      e.close(node.end, ";");
      e.hoist(node.start, node.end);
    }
  }

  function importText(node: Node & { type: "ImportDeclaration" }): string {
    const attributes = node.attributes ?? [];
    const options =
      attributes.length > 0 ? `, {with: {${attributes.map((a) => code.slice(a.start, a.end)).join(", ")}}}` : "";
    const call = `await __cell.import(${node.source.raw}${options})`;
    const all = node.specifiers.find((s) => s.type === "ImportNamespaceSpecifier");
    const named = node.specifiers
      .filter((s) => s.type !== "ImportNamespaceSpecifier")
      .map(
        (s) =>
          `${JSON.stringify(s.type === "ImportSpecifier" ? name(s.imported) : "default")}: ${declared(s.local.name)}`,
      );
    const pick = (from: string) => (named.length > 0 ? `({${named}} = __cell.named(${from}));` : `${from};`);
    return all ? `${declared(all.local.name)} = ${call};${pick(all.local.name)}` : pick(call);
  }

  /** The `var`s, functions and awaits below `node`. `top`: not inside a function, so a `var` here belongs to the session. */
  function walk(node: Node, scope: Scope, top: boolean): void {
    switch (node.type) {
      case "VariableDeclaration":
        if (top && node.kind === "var") variables(node);
        break;
      case "AwaitExpression":
        e.open(node.argument.start, "__cell.guard((");
        e.close(node.end, `), ${scope.run})`);
        break;
      case "ForOfStatement":
        if (node.await) {
          e.open(node.right.start, "__cell.iterate((");
          e.close(node.right.end, `), ${scope.run})`);
        }
        break;
      case "ImportExpression":
        e.replace(node.start, node.start + "import".length, "__cell.import");
        break;
      case "MetaProperty":
        if (node.meta.name === "import") e.replace(node.start, node.end, "__cell.meta");
        return;
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression": {
        const guarded = node.async && awaits(node.body);
        if (guarded && node.body.type === "BlockStatement") e.open(node.body.start + 1, "const __run = __cell.run();");
        else if (guarded) {
          const arrow = code.lastIndexOf("=>", node.body.start) + 2;
          e.open(arrow, "{const __run = __cell.run();return (");
          e.close(node.end, ")}");
        }
        for (const child of children(node)) walk(child, guarded ? { run: "__run" } : scope, false);
        return;
      }
      case "StaticBlock":
        top = false;
        break;
      default:
    }
    for (const child of children(node)) walk(child, scope, top);
  }

  /** `var a = 1, b` → `a = 1`. */
  function variables(node: Node & { type: "VariableDeclaration" }): void {
    for (const { id } of node.declarations) boundNames(id).forEach(declared);
    const loop =
      !code.slice(node.start, node.end).endsWith(";") && node.declarations.length === 1 && !node.declarations[0]!.init;
    const first = node.declarations[0]!;
    e.remove(node.start, loop ? first.start : (node.declarations.find((d) => d.init) ?? { start: lastOf(node) }).start);
    if (loop) return;
    let before: number | undefined;
    for (const { id, init, start, end } of node.declarations) {
      if (!init) {
        if (before !== undefined) e.remove(before, end);
      } else if (id.type === "ObjectPattern") parenthesize(start, end);
      if (init || before !== undefined) before = end;
    }
  }

  function parenthesize(start: number, end: number): void {
    e.open(start, "(");
    e.close(end, ")");
  }

  function lastOf(node: Node): number {
    return code[node.end - 1] === ";" ? node.end - 1 : node.end;
  }
}

/** The statement whose value the cell shows: its last one, also when a top-level `using` put the cell into a `try`. */
function lastExpression(program: Program, code: string): Node | undefined {
  // Functions and imports act before everything else, wherever they stand.
  // So do the `var`s by which swc declares namespaces, at the end.
  let last: Node | undefined = program.body.findLast(
    (s) =>
      !/^(Function|Import)Declaration$/.test(s.type) &&
      !(s.type === "VariableDeclaration" && s.kind === "var" && s.declarations.every(({ init }) => !init)),
  );
  if (last?.type === "ExportDefaultDeclaration") {
    const { declaration } = last;
    return /^(Function|Class)Declaration$/.test(declaration.type)
      ? undefined
      : ({ ...declaration, start: last.start + "export default".length, end: last.end } as Expression);
  }
  if (
    last?.type === "TryStatement" &&
    /_ts_dispose_resources\w*\(/.test(code.slice(last.finalizer?.start ?? last.end, last.end))
  ) {
    last = last.block.body.findLast((s) => s.type !== "FunctionDeclaration");
  }
  return last?.type === "ExpressionStatement" ? last : undefined;
}

const name = (node: Identifier | { type: string; name?: string; value?: unknown }): string =>
  node.name ?? String((node as { value?: unknown }).value);

function boundNames(pattern: Pattern): string[] {
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((p) => boundNames(p.type === "RestElement" ? p.argument : p.value));
    case "ArrayPattern":
      return pattern.elements.flatMap((p) => (p ? boundNames(p) : []));
    case "AssignmentPattern":
      return boundNames(pattern.left);
    case "RestElement":
      return boundNames(pattern.argument);
    default:
      return [];
  }
}

/** Whether `body` awaits in its own function. */
function awaits(body: Node): boolean {
  if (body.type === "AwaitExpression" || (body.type === "ForOfStatement" && body.await)) return true;
  for (const child of children(body)) {
    if (/Function/.test(child.type)) continue;
    if (awaits(child)) return true;
  }
  return false;
}
