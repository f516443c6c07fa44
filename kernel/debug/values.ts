/** Values of the user's process as the debugger shows them: a line each, children by reference. */

/** What of V8's inspector a value is. */
export interface Remote {
  type: string;
  subtype?: string;
  className?: string;
  description?: string;
  value?: unknown;
  unserializableValue?: string;
  objectId?: string;
}

export interface Variable {
  name: string;
  value: string;
  type: string;
  variablesReference: number;
  evaluateName?: string;
}

export type Inspector = (method: string, params?: object) => Promise<Record<string, unknown>>;

const longest = 200;

export function values(inspector: Inspector) {
  let references: string[] = [];

  /** A line that says what it is: a tensor's shape, a stream's summary, and else what V8 says. */
  async function line(value: Remote): Promise<string> {
    if (value.objectId === undefined || value.type === "function") return plain(value);
    const told = await inspector("Runtime.callFunctionOn", {
      objectId: value.objectId,
      functionDeclaration: "function () { return globalThis.__cell.brief(this) }",
      returnByValue: true,
    }).catch(() => undefined);
    const text = (told?.result as Remote | undefined)?.value;
    return typeof text === "string" ? text : plain(value);
  }

  async function variable(name: string, value: Remote): Promise<Variable> {
    const variablesReference = value.objectId === undefined ? 0 : references.push(value.objectId);
    const text = (await line(value)).slice(0, longest);
    return { name, value: text, type: typeOf(value) ?? text, variablesReference, evaluateName: name };
  }

  return {
    variable,
    /** A reference to what has children: a scope. */
    reference: (objectId: string) => references.push(objectId),
    /** When the process goes on, what was shown is out of date. */
    forget(): void {
      references = [];
    },
    async children(reference: number, wanted: (name: string) => boolean = () => true): Promise<Variable[]> {
      const objectId = references[reference - 1];
      if (objectId === undefined) return [];
      const found = await inspector("Runtime.getProperties", { objectId, ownProperties: true });
      const own = (found.result as { name: string; value?: Remote; get?: Remote; isOwn?: boolean }[]) ?? [];
      const shown = own.filter(({ name, value, get }) => (value ?? get) && name !== "__proto__" && wanted(name));
      return Promise.all(
        shown
          .slice(0, 500)
          .map(({ name, value, get }) =>
            value
              ? variable(name, value)
              : Promise.resolve({ name, value: "(computed)", type: get?.type ?? "", variablesReference: 0 }),
          ),
      );
    },
  };
}

/** JupyterLab shows a value only beside Python's names of types, and otherwise the type: that is then the line that says what it is. */
function typeOf({ type, value }: Remote): string | undefined {
  if (type === "number") return Number.isInteger(value) ? "int" : "float";
  return { string: "str", boolean: "bool" }[type];
}

function plain(value: Remote): string {
  if (value.unserializableValue !== undefined) return value.unserializableValue;
  if (value.type === "string") return JSON.stringify(value.value);
  return value.description ?? String(value.value);
}
