/** What a cell defines, uses and changes: by the syntax tree of what it compiles to, so that types and names of its own scopes do not count. */
import { type AnyNode, type Pattern, parse } from "acorn";
import { children } from "./nodes.ts";
import { isPropertyName } from "./own-names.ts";
import { transpile } from "./transpile.ts";

export interface Names {
  /** Declared at the top. */
  defines: readonly string[];
  /** Meant from outside of the cell: of other cells, of the library, of JavaScript. */
  uses: readonly string[];
  /** Assigned, but declared elsewhere. */
  changes: readonly string[];
  /** Whether it waits for something that trains: `await study.run()`, `compare(…)`, `for await (… of fit(…))`. */
  trains: boolean;
}

const none: Names = { defines: [], uses: [], changes: [], trains: false };
const known = new Map<string, Names>();
const limit = 2000;

/** The names of a cell; a cell that is not TypeScript has none. Remembered by the text. */
export function namesOf(source: string): Names {
  const before = known.get(source);
  if (before) return before;
  let names = none;
  try {
    names = analyse(transpile(source.replace(/^#!/, "//"), "names.ts").code);
  } catch {}
  if (known.size >= limit) known.clear();
  known.set(source, names);
  return names;
}

const trainers = /^(run|fit|sweep|compare|train|learn|pretrain|conform)$/;

function analyse(code: string): Names {
  const program = parse(code, { ecmaVersion: "latest", sourceType: "module", allowAwaitOutsideFunction: true });
  const top = new Set([...hoisted(program), ...program.body.flatMap((node) => [...declaredBy(node)])]);
  const uses = new Set<string>();
  const changes = new Set<string>();
  let trains = false;

  function visit(node: AnyNode, scopes: readonly ReadonlySet<string>[]): void {
    const own = scopeOf(node);
    const inside = own.size > 0 ? [...scopes, own] : scopes;
    const free = (name: string) => !top.has(name) && !inside.some((scope) => scope.has(name));
    if (node.type === "Identifier" && free(node.name)) uses.add(node.name);
    if (node.type === "AssignmentExpression")
      for (const name of bound(node.left as Pattern)) if (free(name)) changes.add(name);
    if (node.type === "UpdateExpression" && node.argument.type === "Identifier" && free(node.argument.name))
      changes.add(node.argument.name);
    const awaited =
      node.type === "AwaitExpression"
        ? node.argument
        : node.type === "ForOfStatement" && node.await
          ? node.right
          : undefined;
    if (awaited && callsTrainer(awaited)) trains = true;
    for (const child of children(node))
      if (!isPropertyName(node, child) && !isForeign(node, child)) visit(child, inside);
  }
  visit(program, []);
  return { defines: [...top], uses: [...uses], changes: [...changes], trains };
}

/** Names that stand for something of another module. */
const isForeign = (parent: AnyNode, child: AnyNode): boolean =>
  /^(Import|Export)\w*Specifier$/.test(parent.type) && (parent as { local?: AnyNode }).local !== child;

function callsTrainer(node: AnyNode): boolean {
  if (node.type === "CallExpression") {
    const { callee } = node;
    const last = callee.type === "MemberExpression" ? callee.property : callee;
    if (last.type === "Identifier" && trainers.test(last.name)) return true;
  }
  // What a callback awaits it awaits itself.
  if (/Function/.test(node.type)) return false;
  return [...children(node)].some(callsTrainer);
}

/** What the node makes visible below itself. */
function scopeOf(node: AnyNode): Set<string> {
  switch (node.type) {
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression": {
      const names = new Set(node.params.flatMap((param) => bound(param)));
      if (node.type !== "ArrowFunctionExpression") names.add("arguments");
      if (node.type === "FunctionExpression" && node.id) names.add(node.id.name);
      for (const name of hoisted(node.body)) names.add(name);
      return names;
    }
    case "ClassExpression":
      return new Set(node.id ? [node.id.name] : []);
    case "BlockStatement":
    case "StaticBlock":
      return new Set(node.body.flatMap((statement) => [...declaredBy(statement)]));
    case "SwitchStatement":
      return new Set(node.cases.flatMap((one) => one.consequent.flatMap((statement) => [...declaredBy(statement)])));
    case "CatchClause":
      return new Set(node.param ? bound(node.param) : []);
    case "ForStatement":
      return new Set(node.init ? declaredBy(node.init) : []);
    case "ForInStatement":
    case "ForOfStatement":
      return new Set(declaredBy(node.left));
    default:
      return new Set();
  }
}

/** What a statement declares in the block that it stands in. */
function* declaredBy(node: AnyNode): Generator<string> {
  if (node.type === "VariableDeclaration") for (const { id } of node.declarations) yield* bound(id);
  else if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") {
    if (node.id) yield node.id.name;
  } else if (node.type === "ImportDeclaration") for (const { local } of node.specifiers) yield local.name;
  else if ((node.type === "ExportNamedDeclaration" || node.type === "ExportDefaultDeclaration") && node.declaration)
    yield* declaredBy(node.declaration as AnyNode);
}

/** The `var`s below a node that belong to its function. */
function* hoisted(node: AnyNode): Generator<string> {
  if (node.type === "VariableDeclaration" && node.kind === "var")
    for (const { id } of node.declarations) yield* bound(id);
  for (const child of children(node)) if (!/Function|StaticBlock/.test(child.type)) yield* hoisted(child);
}

function bound(pattern: Pattern): string[] {
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((p) => bound(p.type === "RestElement" ? p.argument : p.value));
    case "ArrayPattern":
      return pattern.elements.flatMap((p) => (p ? bound(p) : []));
    case "AssignmentPattern":
      return bound(pattern.left);
    case "RestElement":
      return bound(pattern.argument);
    default:
      return [];
  }
}
