/**
 * The session as TypeScript sees it: every cell is a module that exports what it declares and imports what it uses from the last cell
 * (or the preloaded library) that declared it. A name declared again in a later cell is simply that cell's from there on.
 */
import ts from "typescript";

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
  /** A file for a question about code that is not executed. */
  scratch(code: string): CellFile;
  forget(run: number): void;
  preloaded(names: string[], path: string | undefined): void;
}

export function session(folder: string, globals: string): Session {
  const files = new Map<string, CellFile>();
  /** name → file that declares it last. */
  let declared = new Map<string, string>();
  const order: CellFile[] = [];
  let library: { names: Set<string>; path: string } | undefined;
  let version = 0;

  function index(): void {
    declared = new Map();
    for (const file of order) for (const name of declaredNames(file.code)) declared.set(name, file.path);
  }

  function make(run: number, name: string, code: string): CellFile {
    const own = new Set(declaredNames(code));
    const imports = new Map<string, string[]>();
    for (const word of new Set(code.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu))) {
      if (own.has(word)) continue;
      const from = declared.get(word) ?? (library?.names.has(word) ? library.path : undefined);
      if (from !== undefined) imports.set(from, [...(imports.get(from) ?? []), word]);
    }
    const lines = [...imports].map(
      ([from, names]) => `import { ${names.join(", ")} } from ${JSON.stringify(relativeTo(folder, from))};`,
    );
    const prefix = `/// <reference path=${JSON.stringify(globals)} />\n${lines.join(" ")}\n`;
    const exported = own.size > 0 ? `\nexport { ${[...own].join(", ")} };` : "\nexport {};";
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
        for (const declaredName of declaredNames(code)) declared.set(declaredName, file.path);
      }
      return file;
    },
    scratch(code) {
      const file = make(-1, "cell_scratch.ts", code);
      files.set(file.path, file);
      return file;
    },
    forget(run) {
      const at = order.findIndex((file) => file.run === run);
      if (at < 0) return;
      files.delete(order[at]!.path);
      order.splice(at, 1);
      index();
    },
    preloaded(names, path) {
      library = path === undefined ? undefined : { names: new Set(names), path };
    },
  };
}

function relativeTo(folder: string, path: string): string {
  return path.startsWith(`${folder}/`) ? `./${path.slice(folder.length + 1)}` : path;
}

/** `export const x` → `       const x`: the same columns, and no double export. */
function withoutExports(code: string): string {
  const source = ts.createSourceFile("x.ts", code, ts.ScriptTarget.ESNext);
  let text = code;
  for (const statement of source.statements) {
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    for (const modifier of modifiers) {
      if (modifier.kind !== ts.SyntaxKind.ExportKeyword) continue;
      const start = modifier.getStart(source);
      text = text.slice(0, start) + " ".repeat(modifier.end - start) + text.slice(modifier.end);
    }
  }
  return text;
}

/** Names that the code declares at its top level, types included. */
export function declaredNames(code: string): string[] {
  const source = ts.createSourceFile("x.ts", code, ts.ScriptTarget.ESNext);
  const names: string[] = [];
  const binding = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) names.push(name.text);
    else for (const element of name.elements) if (!ts.isOmittedExpression(element)) binding(element.name);
  };
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement))
      for (const declaration of statement.declarationList.declarations) binding(declaration.name);
    else if (ts.isImportDeclaration(statement)) {
      const clause = statement.importClause;
      if (clause?.name) names.push(clause.name.text);
      const bindings = clause?.namedBindings;
      if (bindings && ts.isNamespaceImport(bindings)) names.push(bindings.name.text);
      if (bindings && ts.isNamedImports(bindings))
        for (const element of bindings.elements) names.push(element.name.text);
    } else if (ts.isImportEqualsDeclaration(statement)) names.push(statement.name.text);
    else if (
      (ts.isFunctionDeclaration(statement) ||
        ts.isClassDeclaration(statement) ||
        ts.isEnumDeclaration(statement) ||
        ts.isInterfaceDeclaration(statement) ||
        ts.isTypeAliasDeclaration(statement) ||
        ts.isModuleDeclaration(statement)) &&
      statement.name &&
      ts.isIdentifier(statement.name) &&
      statement.name.text !== ""
    ) {
      names.push(statement.name.text);
    } else if (ts.isForStatement(statement) || ts.isForOfStatement(statement) || ts.isForInStatement(statement)) {
      const list = statement.initializer;
      if (list && ts.isVariableDeclarationList(list) && (list.flags & ts.NodeFlags.BlockScoped) === 0)
        for (const d of list.declarations) binding(d.name);
    }
  }
  return [...new Set(names)];
}
