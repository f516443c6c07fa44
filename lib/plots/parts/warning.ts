/** What is wrong with a stream, below the title of its picture. */
import { audit } from "../../streams/audit.ts";
import type { Stream } from "../../streams/stream.ts";

/** The first thing that is wrong, and how many more there are; nothing where nothing is, or where looking would take long. */
export function warning(stream: Stream): string[] {
  const numbers = stream.shape.reduce((a, b) => a * b, 1);
  if (stream.experience(0).train.length * numbers > 4e6) return [];
  const found = audit(stream, { experiences: 12, examples: 2000 });
  return found.length > 0 ? [`⚠ ${found[0]}${found.length > 1 ? ` (and ${found.length - 1} more)` : ""}`] : [];
}
