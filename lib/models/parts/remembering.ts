/** What layers that remember, read and join require. */
import type { Join } from "../composite.ts";

/** Throws unless it is a way of joining. */
export function requireJoin(where: string, join: Join): void {
  if (!["add", "multiply", "concat"].includes(join))
    throw new RangeError(`${where}: join "add", "multiply" or "concat" is required, got ${JSON.stringify(join)}`);
}

/** Throws unless it is a name. */
export function requireName(where: string, name: string): void {
  if (typeof name !== "string" || name === "")
    throw new TypeError(`${where}: a name is required, got ${JSON.stringify(name)}`);
}

/** What is remembered under a name; throws where nothing is. */
export function recalled<T>(where: string, name: string, remembered: ReadonlyMap<string, T>): T {
  const found = remembered.get(name);
  if (found !== undefined) return found;
  const names = [...remembered.keys()].map((one) => `"${one}"`).join(", ") || "nothing";
  throw new RangeError(
    `${where}: a name that was tapped before is required, got "${name}", and there is ${names}; put tap("${name}") before`,
  );
}
