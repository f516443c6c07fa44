/** A checkpoint of a folder was an error of the server, and a file that is not there had a list of checkpoints. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { serve } from "../server/support.ts";

test("what is no file has no checkpoints, and the answer says so", async () => {
  const { ask, root } = await serve();
  mkdirSync(join(root, "folder"));
  for (const method of ["GET", "POST"]) {
    const body = method === "POST" ? {} : undefined;
    const folder = await ask(method, "/api/contents/folder/checkpoints", body);
    expect([folder.status, folder.json.message]).toEqual([400, "folder is not a file."]);
    expect((await ask(method, "/api/contents/nothing.txt/checkpoints", body)).status).toBe(404);
  }
  expect(readdirSync(root)).toEqual(["folder"]);
});
