/** Where imports lead. What files that stay as they are import is looked up once a session; what the user's files import, for every question. */
import type ts from "typescript";
import { typescript } from "./typescript.ts";

export function resolver(folder: string, settled: (path: string) => boolean) {
  /** Of files that stay as they are: only what was found, since what was not may be installed yet. */
  const found = new Map<string, ts.ResolvedModuleWithFailedLookupLocations>();
  let lookups: ts.ModuleResolutionCache | undefined;

  return {
    /** A question begins: files may have come and gone since the last. */
    begin(): void {
      lookups = undefined;
    },
    /** The settings are others. */
    forget(): void {
      found.clear();
      lookups = undefined;
    },
    names(
      names: readonly ts.StringLiteralLike[],
      from: string,
      redirected: ts.ResolvedProjectReference | undefined,
      settings: ts.CompilerOptions,
      source: ts.SourceFile,
      host: ts.ModuleResolutionHost,
    ): readonly ts.ResolvedModuleWithFailedLookupLocations[] {
      lookups ??= typescript.createModuleResolutionCache(folder, (name) => name, settings);
      const lasting = settled(from);
      return names.map((name) => {
        const mode = typescript.getModeForUsageLocation(source, name, settings);
        const key = `${from}\0${mode ?? ""}\0${name.text}`;
        const known = lasting ? found.get(key) : undefined;
        if (known) return known;
        const resolved = typescript.resolveModuleName(name.text, from, settings, host, lookups, redirected, mode);
        if (lasting && resolved.resolvedModule) found.set(key, resolved);
        return resolved;
      });
    },
  };
}
