/**
 * JavaScript of one cell → a script for V8's REPL mode.
 *
 * REPL mode gives redeclaration, top-level await and closures that see later writes, but only among `let`s, and without
 * `import`. So every top-level declaration becomes a `let`, functions move to the top, imports become calls, the last
 * expression reports its value, and every `await` passes a guard that stops a cancelled cell.
 */
import { type AnyNode, type Expression, type Identifier, type Pattern, type Program, parse } from "acorn";
import { type Edited, type Edits, edits } from "./edits.ts";

type Node = AnyNode;
type Scope = { run: string };

/** @param run number of this execution: what the guards of its top-level awaits ask about. */
export function rewrite(code: string, run: number): Edited {
  const program = parse(code, { ecmaVersion: "latest", sourceType: "module", allowAwaitOutsideFunction: true });
  const e = edits(code);
  const hoisted = new Set<string>();
  let prelude = "";

  for (const statement of program.body) {
    switch (statement.type) {
      case "ImportDeclaration":
        prelude += importText(code, statement);
        e.remove(statement.start, statement.end);
        break;
      case "ExportNamedDeclaration":
        if (statement.declaration) {
          e.remove(statement.start, statement.declaration.start);
          declaration(e, statement.declaration);
        } else {
          if (statement.source) {
            const names = statement.specifiers.map((s) => [name(s.local), name(s.exported)] as const);
            prelude += `let {${names.map(([from, to]) => `${JSON.stringify(from)}: ${to}`)}} = await __cell.import(${statement.source.raw});`;
          }
          e.remove(statement.start, statement.end);
        }
        break;
      case "ExportAllDeclaration":
        if (statement.exported)
          prelude += `let ${name(statement.exported)} = await __cell.import(${statement.source.raw});`;
        e.remove(statement.start, statement.end);
        break;
      case "ExportDefaultDeclaration":
        e.remove(statement.start, statement.declaration.start);
        if ("id" in statement.declaration && statement.declaration.id) declaration(e, statement.declaration as Node);
        break;
      default:
        declaration(e, statement);
    }
  }
  const last = lastExpression(program, code);
  if (last) {
    e.open(last.start, "__cell.last((");
    e.close(code[last.end - 1] === ";" ? last.end - 1 : last.end, "))");
  }
  walk(program, { run: String(run) }, true);

  const names = hoisted.size > 0 ? `let ${[...hoisted].join(", ")};` : "";
  return e.apply(`"use strict";${names}${prelude}`, "\n;void 0;");

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

  /** `var a = 1, b` → `a = 1`: the names are declared once, at the top of the cell. */
  function variables(node: Node & { type: "VariableDeclaration" }): void {
    for (const { id } of node.declarations) for (const bound of boundNames(id)) hoisted.add(bound);
    const loop =
      !code.slice(node.start, node.end).endsWith(";") && node.declarations.length === 1 && !node.declarations[0]!.init;
    const first = node.declarations[0]!;
    e.remove(node.start, loop ? first.start : (node.declarations.find((d) => d.init) ?? { start: lastOf(node) }).start);
    if (loop) return;
    let before: number | undefined;
    for (const declared of node.declarations) {
      if (!declared.init) {
        if (before !== undefined) e.remove(before, declared.end);
      } else if (declared.id.type === "ObjectPattern") {
        e.open(declared.start, "(");
        e.close(declared.end, ")");
      }
      if (declared.init || before !== undefined) before = declared.end;
    }
  }

  function lastOf(node: Node): number {
    return code[node.end - 1] === ";" ? node.end - 1 : node.end;
  }
}

function declaration(e: Edits, node: Node): void {
  if (node.type === "VariableDeclaration" && node.kind === "const") e.replace(node.start, node.start + 5, "let  ");
  if (!("id" in node)) return;
  const { id } = node;
  if (id?.type !== "Identifier") return;
  if (node.type === "ClassDeclaration") {
    e.open(node.start, `let ${id.name} = `);
    e.close(node.end, ";");
  }
  if (node.type === "FunctionDeclaration") {
    e.open(node.start, `let ${id.name} = `);
    // Anonymous, so that calls inside it see a later redeclaration, as calls of a declared function do; V8 names it after the binding.
    e.remove(id.start, id.end);
    e.close(node.end, ";");
    e.hoist(node.start, node.end);
  }
}

function importText(code: string, node: Node & { type: "ImportDeclaration" }): string {
  const attributes = node.attributes ?? [];
  const options =
    attributes.length > 0 ? `, {with: {${attributes.map((a) => code.slice(a.start, a.end)).join(", ")}}}` : "";
  const call = `await __cell.import(${node.source.raw}${options})`;
  const all = node.specifiers.find((s) => s.type === "ImportNamespaceSpecifier");
  const named = node.specifiers
    .filter((s) => s.type !== "ImportNamespaceSpecifier")
    .map((s) => `${JSON.stringify(s.type === "ImportSpecifier" ? name(s.imported) : "default")}: ${s.local.name}`);
  const pick = (from: string) => (named.length > 0 ? `let {${named}} = __cell.named(${from});` : `${from};`);
  return all ? `let ${all.local.name} = ${call};${pick(all.local.name)}` : pick(call);
}

/** The statement whose value the cell shows: its last one, also when a top-level `using` put the cell into a `try`. */
function lastExpression(program: Program, code: string): Node | undefined {
  // Functions and imports act before everything else, wherever they stand.
  let last: Node | undefined = program.body.findLast((s) => !/^(Function|Import)Declaration$/.test(s.type));
  if (last?.type === "ExportDefaultDeclaration") {
    const { declaration } = last;
    return /^(Function|Class)Declaration$/.test(declaration.type)
      ? undefined
      : ({ ...declaration, end: last.end } as Expression);
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

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string";

function* children(node: Node): Generator<Node> {
  for (const key in node) {
    const value = (node as unknown as Record<string, unknown>)[key];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) yield item;
    } else if (isNode(value)) yield value;
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
