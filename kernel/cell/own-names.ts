/**
 * Names of the session that JavaScript or Node have too. A `let Map`, or an imported `setTimeout`, would stand before the real one
 * for every library and for the kernel itself: such a name gets another in scripts, everywhere in the cells that mean the session's.
 */
import type { AnyNode, Identifier } from "acorn";
import { children } from "./nodes.ts";

/** What `globalThis` has before the user's first cell. Those that cannot be declared are left to V8 to refuse. */
const taken = new Set(
  Object.entries(Object.getOwnPropertyDescriptors(globalThis)).flatMap(([name, { configurable }]) =>
    configurable ? [name] : [],
  ),
);

/** The name in scripts of what cells call `name`. */
export const ownName = (name: string): string => (taken.has(name) ? `${name}__own` : name);

/** The names with another in scripts that are the session's: `declared` tells of a script's name whether a cell has declared it. */
export const ownNames = (declared: (name: string) => boolean): Set<string> =>
  new Set([...taken].filter((name) => declared(ownName(name))));

/** The identifiers below `node` whose name is in `names`, with the text to put in their place. Names of properties are not identifiers. */
export function* renamed(node: AnyNode, names: ReadonlySet<string>): Generator<{ node: AnyNode; text: string }> {
  if (node.type === "Identifier" && names.has(node.name)) yield { node, text: ownName(node.name) };
  for (const child of children(node)) {
    if (isPropertyName(node, child)) continue;
    for (const found of renamed(child, names)) {
      // `{ Map }` and `{ Map = 1 }` keep the property's name.
      const short = node.type === "Property" && node.shorthand && found.node.start === node.start;
      yield short ? { ...found, text: `${(node.key as Identifier).name}: ${found.text}` } : found;
    }
  }
}

export function isPropertyName(parent: AnyNode, child: AnyNode): boolean {
  switch (parent.type) {
    case "MemberExpression":
      return !parent.computed && parent.property === child;
    case "Property":
    case "MethodDefinition":
    case "PropertyDefinition":
      return !parent.computed && parent.key === child;
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
      return parent.label === child;
    case "MetaProperty":
      return true;
    default:
      return false;
  }
}
