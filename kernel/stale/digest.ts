/** How a saved cell remembers which text it ran. */

/** A short name of a text: FNV-1a, 32 bits. */
export function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text.trim())) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** What the metadata of a cell keep of its last run: the digest of the text that ran. */
export const ranDigest = (metadata: Record<string, unknown>): string | undefined =>
  (metadata.thalweg as { ran?: string } | undefined)?.ran;
