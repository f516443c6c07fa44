/** `npm i thalweg` ran onnxruntime-node's install script, which wants a host that is not the npm registry, and nothing was installed. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nativeVersion } from "../../lib/engine/runtime/native.ts";

const lock = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8")) as {
  packages: Record<
    string,
    { dev?: boolean; optional?: boolean; peer?: boolean; hasInstallScript?: boolean; version: string }
  >;
};

test("no package that an install brings runs a script while it is installed, but two that look for what they brought", () => {
  const scripts = Object.entries(lock.packages)
    .filter(([path, { dev, peer, hasInstallScript }]) => path !== "" && hasInstallScript && !dev && !peer)
    .map(([path]) => path.replace(/^node_modules\//, ""));
  // @swc/core and zeromq load the binary that lies beside them.
  expect(scripts.sort()).toEqual(["@swc/core", "zeromq"]);
});

test("the binding that comes along, the types around it and the one of a clone are of one version", () => {
  const versions = ["onnxruntime-node", "onnxruntime-common"].map(
    (name) => lock.packages[`node_modules/${name}`]?.version,
  );
  expect(versions).toEqual([nativeVersion, nativeVersion]);
});
