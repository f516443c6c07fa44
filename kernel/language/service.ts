/** TypeScript's language service over the cells of a session: completion, hover, completeness, type errors. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type ts from "typescript";
import type { Diagnostic } from "./diagnostics.ts";
import { globalsText } from "./globals.ts";
import type { Completeness, Completions, SessionOptions } from "./protocol.ts";
import { resolver } from "./resolver.ts";
import { type CellFile, session } from "./session.ts";
import { typescript } from "./typescript.ts";

/** What is no mistake in a notebook: assigning to a name of an earlier cell; that a cell's last line is "unused"; `await` at the top. */
const ignored = new Set([
  2632, 1378, 1375, 2695, 6133, 6192, 6196, 80005, 7027, 7028, 1208, 2528, 5097, 2691, 1479, 1541, 1542,
]);

/** Files that sessions have in common are read and parsed once. */
const parsed = typescript.createDocumentRegistry();

export function service({ cwd, packages }: SessionOptions) {
  const folder = cwd.replaceAll("\\", "/").replace(/\/$/, "");
  const globalsPath = `${folder}/kernel_globals.d.ts`;
  const cells = session(folder, "./kernel_globals.d.ts");
  let options = compilerOptions(folder);
  if (packages !== undefined) options = { ...options, paths: { ...options.paths, ...pathsOf(packages) } };
  /** Files on disk, as they were when last read: a program asks for all of them again for every cell. */
  const read = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();
  const versions = new Map<string, string>();
  const resolve = resolver(folder, settled);
  /** Folder of the library that is loaded, which stays what it is while the session lives. */
  let library: string | undefined;
  function settled(path: string): boolean {
    return path.includes("/node_modules/") || (library !== undefined && path.startsWith(library));
  }
  const text = (path: string): string | undefined => (path === globalsPath ? globalsText : cells.files.get(path)?.text);
  const active = new Set<string>();

  const host: ts.LanguageServiceHost = {
    getCompilationSettings: () => options,
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: (settings) => typescript.getDefaultLibFilePath(settings),
    getScriptFileNames: () => [...active],
    getScriptVersion(path) {
      const cell = cells.files.get(path);
      if (cell) return String(cell.version);
      if (path === globalsPath) return "1";
      // The user's own files change while the session lives.
      const known = settled(path) ? versions.get(path) : undefined;
      const version = known ?? String(typescript.sys.getModifiedTime?.(path)?.getTime() ?? 0);
      if (known === undefined) versions.set(path, version);
      return version;
    },
    getScriptSnapshot(path) {
      const own = text(path);
      if (own !== undefined) return typescript.ScriptSnapshot.fromString(own);
      const version = host.getScriptVersion(path);
      const known = read.get(path);
      if (known?.version === version) return known.snapshot;
      const content = typescript.sys.readFile(path);
      if (content === undefined) return undefined;
      const snapshot = typescript.ScriptSnapshot.fromString(content);
      read.set(path, { version, snapshot });
      return snapshot;
    },
    resolveModuleNameLiterals: (names, from, redirected, settings, source) =>
      resolve.names(names, from, redirected, settings, source, host),
    fileExists: (path) => text(path) !== undefined || typescript.sys.fileExists(path),
    readFile: (path) => text(path) ?? typescript.sys.readFile(path),
    directoryExists: typescript.sys.directoryExists,
    getDirectories: typescript.sys.getDirectories,
    readDirectory: typescript.sys.readDirectory,
    ...(typescript.sys.realpath ? { realpath: typescript.sys.realpath } : {}),
  };
  const service = typescript.createLanguageService(host, {
    ...parsed,
    releaseDocumentWithKey(
      path: ts.Path,
      key: ts.DocumentRegistryBucketKey,
      kind?: ts.ScriptKind,
      format?: ts.ResolutionMode,
    ) {
      // What stays as it is stays for the sessions after this one.
      if (!settled(path)) parsed.releaseDocumentWithKey(path, key, kind!, format);
    },
  });

  function open(file: CellFile): CellFile {
    active.clear();
    active.add(globalsPath).add(file.path);
    resolve.begin();
    return file;
  }

  return {
    close: () => service.dispose(),
    check(run: number, name: string, code: string, keep: boolean): Diagnostic[] {
      const file = open(cells.put(run, name, code, keep));
      // Code that does not parse says so when it runs; what the types of its ruins are is noise.
      const found =
        service.getSyntacticDiagnostics(file.path).length > 0 ? [] : service.getSemanticDiagnostics(file.path);
      if (!keep) cells.forget(run);
      return found.flatMap((d) => diagnostic(d, file));
    },
    declare: (run: number, name: string, code: string): void => void cells.put(run, name, code, true),
    forget: (run: number) => cells.forget(run),
    preloaded(names: string[], url: string | undefined, packageName: string | undefined): void {
      const path = url && fileURLToPath(url).replaceAll("\\", "/");
      cells.preloaded(names, path);
      library = path && `${dirname(path)}/`;
      resolve.forget();
      if (path === undefined || packageName === undefined) return;
      // An import of the library means the one that is loaded, also where the notebook's folder has none.
      const inside = `${dirname(path)}/*/index${/\.[cm]?[jt]s$/.exec(path)?.[0] ?? ".js"}`;
      options = { ...options, paths: { ...options.paths, [packageName]: [path], [`${packageName}/*`]: [inside] } };
    },

    complete(code: string, cursor: number): Completions {
      const file = open(cells.scratch(code, true));
      const offset = file.prefix.length + cursor;
      const word = /[\p{ID_Continue}$]*$/u.exec(code.slice(0, cursor))![0];
      const found = service.getCompletionsAtPosition(file.path, offset, { includeCompletionsWithInsertText: true });
      const span = found?.optionalReplacementSpan;
      const start = span ? span.start - file.prefix.length : cursor - word.length;
      const end = span ? Math.max(cursor, span.start + span.length - file.prefix.length) : cursor;
      const typed = code.slice(start, cursor);
      const entries = (found?.entries ?? [])
        .filter(
          (entry) =>
            entry.name.startsWith(typed) &&
            !(typed === "" && entry.name.startsWith("_")) &&
            entry.kind !== typescript.ScriptElementKind.warning,
        )
        .sort((a, b) => (a.sortText < b.sortText ? -1 : a.sortText > b.sortText ? 1 : a.name < b.name ? -1 : 1));
      const matches = entries.slice(0, 500).map((entry) => ({
        text:
          entry.insertText && !entry.insertText.startsWith("[") && !entry.insertText.startsWith("?")
            ? entry.insertText
            : entry.name,
        kind: kindOf(entry.kind),
        signature: "",
      }));
      return { matches, start, end };
    },

    inspect(code: string, cursor: number): Record<string, string> | undefined {
      const file = open(cells.scratch(code));
      // The cursor may stand behind the name, or inside the call of it.
      for (const at of [cursor, cursor - 1, callee(code, cursor)]) {
        const info = at >= 0 ? service.getQuickInfoAtPosition(file.path, file.prefix.length + at) : undefined;
        if (!info || isUnknown(info)) continue;
        const signature = typescript
          .displayPartsToString(info.displayParts)
          .replace(/^\(alias\) /, "")
          .replace(/\nimport [^\n]*$/, "");
        const documentation = typescript.displayPartsToString(info.documentation);
        const tags = (info.tags ?? []).map((tag) => `@${tag.name} ${typescript.displayPartsToString(tag.text)}`);
        const plain = [signature, documentation, tags.join("\n")].filter((part) => part !== "").join("\n\n");
        const markdown = [
          `\`\`\`typescript\n${signature}\n\`\`\``,
          documentation,
          ...tags.map((tag) => tag.replace(/^@(\w+)/, "*@$1*")),
        ]
          .filter((part) => part !== "")
          .join("\n\n");
        return { "text/plain": plain, "text/markdown": markdown };
      }
      return undefined;
    },

    isComplete(code: string): Completeness {
      const source = typescript.createSourceFile(
        "cell.ts",
        code,
        { languageVersion: typescript.ScriptTarget.ESNext, impliedNodeFormat: typescript.ModuleKind.ESNext },
        true,
      );
      const errors = (source as ts.SourceFile & { parseDiagnostics: ts.DiagnosticWithLocation[] }).parseDiagnostics;
      if (errors.length === 0) return { status: "complete" };
      const end = code.trimEnd().length;
      const unterminated = errors.some((e) => [1160, 1161, 1010].includes(e.code));
      // All is well up to the end, where something is missing: more may come.
      if (unterminated || errors[0]!.start >= end) return { status: "incomplete", indent: indentAfter(code) };
      return { status: "invalid" };
    },
  };

  function diagnostic(d: ts.Diagnostic, file: CellFile): Diagnostic[] {
    const start = (d.start ?? 0) - file.prefix.length;
    if (ignored.has(d.code) || start < 0 || start > file.code.length) return [];
    if (d.category !== typescript.DiagnosticCategory.Error && d.category !== typescript.DiagnosticCategory.Warning)
      return [];
    const before = file.code.slice(0, start).split("\n");
    return [
      {
        severity: d.category === typescript.DiagnosticCategory.Error ? "error" : "warning",
        code: d.code,
        message: typescript.flattenDiagnosticMessageText(d.messageText, "\n  "),
        cell: file.name,
        line: before.length,
        column: before.at(-1)!.length + 1,
        length: d.length ?? 1,
        text: file.code.split("\n")[before.length - 1] ?? "",
      },
    ];
  }
}

/** Where the types of pinned packages are. */
function pathsOf(folder: string): Record<string, string[]> {
  const text = typescript.sys.readFile(join(folder, "package.json"));
  const { dependencies = {} } = JSON.parse(text ?? "{}") as { dependencies?: Record<string, string> };
  const place = (name: string) => join(folder, "node_modules", name).replaceAll("\\", "/");
  return Object.fromEntries(
    Object.keys(dependencies).flatMap((name) => [
      [name, [place(name), place(`@types/${name.replace(/^@(.*)\//, "$1__")}`)]],
      [`${name}/*`, [`${place(name)}/*`]],
    ]),
  );
}

function isUnknown(info: ts.QuickInfo): boolean {
  const text = typescript.displayPartsToString(info.displayParts);
  return text === "any" || text === "" || text === "import any";
}

/** Position of the name whose call the cursor is in, or -1. */
function callee(code: string, cursor: number): number {
  for (let at = cursor - 1, depth = 0; at >= 0; at--) {
    if (code[at] === ")") depth++;
    else if (code[at] === "(" && depth-- === 0) return at - 1;
  }
  return -1;
}

const indentAfter = (code: string) => {
  const line = code.trimEnd().split("\n").at(-1)!;
  return /^\s*/.exec(line)![0] + (/[{([]$/.test(line) ? "  " : "");
};

function kindOf(kind: ts.ScriptElementKind): string {
  if (/function|method|construct/.test(kind)) return "function";
  if (/class|interface|enum|type/.test(kind)) return "class";
  if (/module|alias/.test(kind)) return "module";
  if (/property|accessor|getter|setter/.test(kind)) return "property";
  return kind === "keyword" ? "keyword" : "instance";
}

/** Modern TypeScript, strict but for implicit any; a tsconfig.json near the notebook has the last word on strictness. */
function compilerOptions(folder: string): ts.CompilerOptions {
  const preset: ts.CompilerOptions = {
    strict: true,
    noImplicitAny: false,
    ...userOptions(folder),
    target: typescript.ScriptTarget.ESNext,
    module: typescript.ModuleKind.ESNext,
    moduleResolution: typescript.ModuleResolutionKind.Bundler,
    moduleDetection: typescript.ModuleDetectionKind.Force,
    lib: ["lib.esnext.d.ts"],
    types: ["node"],
    // Types of Node come with the kernel where the notebook's folder has none.
    typeRoots: [join(folder, "node_modules/@types"), ...nodeTypes()],
    allowImportingTsExtensions: true,
    allowJs: true,
    resolveJsonModule: true,
    esModuleInterop: true,
    skipLibCheck: true,
    noEmit: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
    isolatedModules: false,
    verbatimModuleSyntax: false,
    erasableSyntaxOnly: false,
    allowUnreachableCode: true,
    allowUnusedLabels: true,
  };
  return preset;
}

const strictness = [
  "strict",
  "noImplicitAny",
  "strictNullChecks",
  "noUncheckedIndexedAccess",
  "exactOptionalPropertyTypes",
  "paths",
  "baseUrl",
  "customConditions",
  "experimentalDecorators",
];

function userOptions(folder: string): ts.CompilerOptions {
  const path = typescript.findConfigFile(folder, typescript.sys.fileExists);
  if (!path) return {};
  const parsed = typescript.getParsedCommandLineOfConfigFile(path, {}, {
    ...typescript.sys,
    onUnRecoverableConfigFileDiagnostic: () => {},
  } as ts.ParseConfigFileHost);
  const given = parsed?.options ?? {};
  return Object.fromEntries(
    [...strictness, "pathsBasePath"].filter((name) => given[name] !== undefined).map((name) => [name, given[name]]),
  );
}

function nodeTypes(): string[] {
  const roots: string[] = [];
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    roots.push(join(at, "node_modules/@types"));
    if (at === dirname(at)) return roots;
  }
}
