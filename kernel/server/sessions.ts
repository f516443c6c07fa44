/** Which notebook has which kernel. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { packagesFolder } from "../notebook/packages.ts";

import { HttpError } from "./http.ts";
import type { KernelModel, Kernels } from "./kernels.ts";

export interface Session {
  id: string;
  path: string;
  name: string;
  type: string;
  kernelId: string;
}

export interface SessionModel extends Omit<Session, "kernelId"> {
  kernel: KernelModel;
  notebook?: { path: string; name: string };
}

export type Sessions = ReturnType<typeof sessions>;

/** @param fileOf the file on disk that a path of the API means. */
export function sessions(kernels: Kernels, fileOf: (path: string) => Promise<string>) {
  const all = new Map<string, Session>();

  const model = ({ kernelId, ...session }: Session): SessionModel => ({
    ...session,
    kernel: kernels.get(kernelId),
    ...(session.type === "notebook" ? { notebook: { path: session.path, name: session.name } } : {}),
  });
  function find(id: string): Session {
    const session = all.get(id);
    if (!session || !kernels.has(session.kernelId)) throw new HttpError(404, `There is no session ${id}.`);
    return session;
  }
  async function kernelFor(wanted: Record<string, unknown>, path: string): Promise<string> {
    if (typeof wanted.id === "string") return kernels.get(wanted.id).id;
    // Only what a person had installed before: to open a notebook installs nothing.
    const packages = path === "" ? undefined : packagesFolder(await fileOf(path));
    const there = packages !== undefined && existsSync(join(packages, "node_modules", ".package-lock.json"));
    return kernels.start(wanted.name, await folderFor(path, fileOf), there ? packages : undefined).id;
  }
  const object = (value: unknown) =>
    typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

  return {
    list: () => [...all.values()].filter(({ kernelId }) => kernels.has(kernelId)).map(model),
    get: (id: string) => model(find(id)),
    /** Whether the notebook at a path has a kernel. */
    has: (path: string) => [...all.values()].some((one) => one.path === path && kernels.has(one.kernelId)),
    /** A notebook that has a session keeps it: two tabs on it share the kernel. */
    async create(given: Record<string, unknown>): Promise<SessionModel> {
      const path = text(given, "path");
      const type = typeof given.type === "string" ? given.type : "notebook";
      const there = [...all.values()].find((session) => session.path === path && session.type === type);
      if (there && kernels.has(there.kernelId)) return model(there);
      const name = typeof given.name === "string" ? given.name : "";
      const session = { id: randomUUID(), path, name, type, kernelId: await kernelFor(object(given.kernel), path) };
      all.set(session.id, session);
      return model(session);
    },
    /** Renamed, or given another kernel; a kernel that nobody has then is shut down. */
    async change(id: string, given: Record<string, unknown>): Promise<SessionModel> {
      const session = find(id);
      const before = session.kernelId;
      for (const field of ["path", "name", "type"] as const)
        if (typeof given[field] === "string") session[field] = given[field] as string;
      const { id: kernelId, name } = object(given.kernel);
      if (typeof kernelId === "string" || typeof name === "string")
        session.kernelId = await kernelFor(object(given.kernel), session.path);
      if (session.kernelId !== before && ![...all.values()].some((other) => other.kernelId === before))
        await kernels.stop(before);
      return model(session);
    },
    async remove(id: string): Promise<void> {
      const { kernelId } = find(id);
      all.delete(id);
      if (![...all.values()].some((other) => other.kernelId === kernelId)) await kernels.stop(kernelId);
    },
    /** The kernel is gone, and its sessions with it. */
    kernelGone(kernelId: string): void {
      for (const session of all.values()) if (session.kernelId === kernelId) all.delete(session.id);
    },
  };
}

/** A kernel runs in the folder of its notebook, or where there is none, in the folder that is served. */
export async function folderFor(path: string, fileOf: (path: string) => Promise<string>): Promise<string> {
  const above = path.split("/").slice(0, -1).join("/");
  for (const candidate of [path, above, ""]) {
    const file = await fileOf(candidate).catch(() => undefined);
    if (file !== undefined && (await stat(file).catch(() => undefined))?.isDirectory()) return file;
  }
  throw new HttpError(404, "The folder that is served is gone.");
}

function text(given: Record<string, unknown>, field: string): string {
  const value = given[field];
  if (typeof value !== "string") throw new HttpError(400, `${field} must be text, got ${typeof value}.`);
  return value;
}
