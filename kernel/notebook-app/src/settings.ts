/**
 * The setting registry without code generation. JupyterLab's own validator compiles every schema to a function, which a page that
 * forbids `eval` cannot do. The schemas are ours and trusted; what is checked is the user's text.
 */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import {
  type ISchemaValidator,
  ISettingConnector,
  ISettingRegistry,
  SettingRegistry,
} from "@jupyterlab/settingregistry";
import type { JSONValue, PartialJSONObject } from "@lumino/coreutils";
import { JSONExt } from "@lumino/coreutils";
import json5 from "json5";

type Schema = {
  type?: string | string[];
  default?: JSONValue;
  enum?: JSONValue[];
  $ref?: string;
  properties?: Record<string, Schema>;
};

/** The kinds of JSON value, as schemas name them. */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
}

/** Whether a value is of a kind that the schema allows; a schema that does not say allows all. */
export function fits(schema: Schema, value: unknown): boolean {
  if (schema.enum) return schema.enum.some((allowed) => JSON.stringify(allowed) === JSON.stringify(value));
  if (schema.type === undefined) return true;
  const kind = kindOf(value);
  return [schema.type].flat().some((type) => type === kind || (type === "integer" && Number.isInteger(value)));
}

/** The user's values with the defaults of the schema below them. */
export function withDefaults(schema: Schema, user: Record<string, unknown>): Record<string, unknown> {
  const composite: Record<string, unknown> = { ...user };
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (composite[name] === undefined && property.default !== undefined)
      composite[name] = JSONExt.deepCopy(property.default);
    const value = composite[name];
    if (property.properties && kindOf(value) === "object")
      composite[name] = withDefaults(property, value as Record<string, unknown>);
  }
  return composite;
}

const validator: ISchemaValidator = {
  validateData(plugin: ISettingRegistry.IPlugin, populate = true): ISchemaValidator.IError[] | null {
    const schema = plugin.schema as unknown as Schema;
    const failure = (instancePath: string, keyword: string, message: string) => [
      { instancePath, keyword, message, schemaPath: "" },
    ];
    let user: unknown;
    try {
      user = json5.parse(plugin.raw);
    } catch (error) {
      return failure("", "syntax", error instanceof Error ? error.message : String(error));
    }
    if (kindOf(user) !== "object") return failure("", "type", "settings must be an object");
    for (const [name, value] of Object.entries(user as object)) {
      const property = schema.properties?.[name];
      if (property && !fits(property, value))
        return failure(`/${name}`, "type", `must be ${property.enum?.join(" or ") ?? property.type}`);
    }
    if (populate) {
      const own = user as PartialJSONObject;
      plugin.data = { user: own, composite: withDefaults(schema, own) as PartialJSONObject };
    }
    return null;
  },
};

export const settingsPlugin: JupyterFrontEndPlugin<ISettingRegistry> = {
  id: "thalweg:settings",
  description: "Settings, validated without eval.",
  autoStart: true,
  provides: ISettingRegistry,
  requires: [ISettingConnector],
  activate: async (app, connector: ISettingConnector) => {
    const listed = await connector.list("active");
    return new SettingRegistry({
      connector,
      validator,
      plugins: listed.values.filter((plugin) => app.hasPlugin(plugin.id)),
    });
  },
};
