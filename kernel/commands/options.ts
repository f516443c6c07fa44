/** Options that several commands share. */
import type { TypeErrors } from "../context.ts";
import { ownLibrary } from "../preload.ts";

/** The command was called wrongly; the message is the remedy. */
export class UsageError extends Error {
  override name = "UsageError";
}

export function preloadOption(values: { preload?: string | undefined; "no-preload"?: boolean | undefined }): {
  preload?: string;
} {
  return values["no-preload"] ? {} : { preload: values.preload ?? ownLibrary() };
}

export function typesOption(value: string | undefined): TypeErrors {
  const given = value ?? process.env.THALWEG_TYPES ?? "warn";
  if (given === "warn" || given === "block" || given === "off") return given;
  throw new UsageError(`--types: warn, block or off is required, got ${given}`);
}
