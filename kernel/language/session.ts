/**
 * The session as TypeScript sees it: every cell is a module that exports what it declares and imports what it uses from the last cell
 * (or the preloaded library) that declared it. A name declared again in a later cell is simply that cell's from there on.
 */
import type ts from "typescript";
import { typescript } from "./typescript.ts";

export interface CellFile {
  run: number;
  /** `cell_3.ts` */
  name: string;
  path: string;
  code: string;
  /** Text before the code: the imports. */
  prefix: string;
  text: string;
  version: number;
}

export interface Session {
  readonly files: ReadonlyMap<string, CellFile>;
  /** Makes the file of a cell; a cell that stays is seen by those after it. */
  put(run: number, name: string, code: string, keep: boolean): CellFile;
  /** A file for a question about code that is not executed; with `all`, it sees every name of the session. */
  scratch(code: string, all?: boolean): CellFile;
  forget(run: number): void;
  preloaded(names: string[], path: string | undefined): void;
}

interface Declared {
  path: string;
  kind: Kind;
}

/** Variables may be assigned by later cells, which an import may not. */
type Kind = "let" | "const" | "other";

/** Counts through all sessions: cells of two in one folder have one path, and must not be taken for each other. */
let version = 0;

export function session(folder: string, globals: string): Session {
  const files = new Map<string, CellFile>();
  /** Where each name was declared last. */
  let declared = new Map<string, Declared>();
  const order: CellFile[] = [];
  let library: { names: Set<string>; path: string } | undefined;

  function remember(file: CellFile): void {
    for (const [name, kind] of declaredNames(file.code)) declared.set(name, { path: file.path, kind });
  }

  /** @param wanted the names that the code can see; those that it mentions, when not given. */
  function make(run: number, name: string, code: string, wanted: Iterable<string> = words(code)): CellFile {
    const own = declaredNames(code);
    const imports = new Map<string, string[]>();
    const variables: string[] = [];
    for (const word of wanted) {
      if (own.has(word)) continue;
      const from = declared.get(word) ?? (library?.names.has(word) ? { path: library.path, kind: "other" } : undefined);
      if (!from) continue;
      const specifier = relativeTo(folder, from.path);
      if (from.kind === "other") imports.set(specifier, [...(imports.get(specifier) ?? []), word]);
      else variables.push(`declare ${from.kind} ${word}: typeof import(${JSON.stringify(specifier)}).${word};`);
    }
    const lines = [...imports].map(([from, names]) => `import { ${names.join(", ")} } from ${JSON.stringify(from)};`);
    const prefix = `/// <reference path=${JSON.stringify(globals)} />\n${[...lines, ...variables].join(" ")}\n`;
    const exported = own.size > 0 ? `\nexport { ${[...own.keys()].join(", ")} };` : "\nexport {};";
    const path = `${folder}/${name}`;
    return { run, name, path, code, prefix, text: prefix + withoutExports(code) + exported, version: ++version };
  }

  return {
    files,
    put(run, name, code, keep) {
      const file = make(run, name, code);
      files.set(file.path, file);
      if (keep) {
        order.push(file);
        remember(file);
      }
      return file;
    },
    scratch(code, all) {
      const names = all ? new Set([...declared.keys(), ...(library?.names ?? [])]) : undefined;
      const file = make(-1, "cell_scratch.ts", code, names);
      files.set(file.path, file);
      return file;
    },
    forget(run) {
      const at = order.findIndex((file) => file.run === run);
      if (at < 0) return;
      files.delete(order[at]!.path);
      order.splice(at, 1);
      declared = new Map();
      order.forEach(remember);
    },
    preloaded(names, path) {
      library = path === undefined ? undefined : { names: new Set(names), path };
    },
  };
}

const words = (code: string) => new Set(code.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu));

function relativeTo(folder: string, path: string): string {
  return path.startsWith(`${folder}/`) ? `./${path.slice(folder.length + 1)}` : path;
}

/** `export const x` → `       const x`: the same columns, and no double export. */
function withoutExports(code: string): string {
  const source = typescript.createSourceFile("x.ts", code, typescript.ScriptTarget.ESNext);
  let text = code;
  for (const statement of source.statements) {
    const modifiers = typescript.canHaveModifiers(statement) ? (typescript.getModifiers(statement) ?? []) : [];
    for (const modifier of modifiers) {
      if (modifier.kind !== typescript.SyntaxKind.ExportKeyword) continue;
      const start = modifier.getStart(source);
      text = text.slice(0, start) + " ".repeat(modifier.end - start) + text.slice(modifier.end);
    }
  }
  return text;
}

/** Names that the code declares at its top level, types included. */
export function declaredNames(code: string): Map<string, Kind> {
  const source = typescript.createSourceFile("x.ts", code, typescript.ScriptTarget.ESNext);
  const names = new Map<string, Kind>();
  const binding = (name: ts.BindingName, kind: Kind): void => {
    if (typescript.isIdentifier(name)) names.set(name.text, kind);
    else for (const element of name.elements) if (!typescript.isOmittedExpression(element)) binding(element.name, kind);
  };
  const variables = (list: ts.VariableDeclarationList): void => {
    const kind = list.flags & typescript.NodeFlags.Const ? "const" : "let";
    for (const declaration of list.declarations) binding(declaration.name, kind);
  };
  for (const statement of source.statements) {
    if (typescript.isVariableStatement(statement)) variables(statement.declarationList);
    else if (typescript.isImportDeclaration(statement)) {
      for (const name of importedNames(statement.importClause)) names.set(name, "other");
    } else if (
      typescript.isForStatement(statement) ||
      typescript.isForOfStatement(statement) ||
      typescript.isForInStatement(statement)
    ) {
      const list = statement.initializer;
      const hoisted =
        list && typescript.isVariableDeclarationList(list) && (list.flags & typescript.NodeFlags.BlockScoped) === 0;
      if (hoisted) variables(list);
    } else if ("name" in statement) {
      const name = (statement as ts.DeclarationStatement).name;
      if (name && typescript.isIdentifier(name) && name.text !== "") names.set(name.text, "other");
    }
  }
  return names;
}

function importedNames(clause: ts.ImportClause | undefined): string[] {
  const bindings = clause?.namedBindings;
  const named = bindings
    ? typescript.isNamespaceImport(bindings)
      ? [bindings.name]
      : bindings.elements.map((element) => element.name)
    : [];
  return [clause?.name, ...named].flatMap((name) => (name ? [name.text] : []));
}
