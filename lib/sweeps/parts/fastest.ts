/** Where a study runs when nobody has said: where one of its training steps takes least time, and where its record began. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { devices, useNamed } from "../../engine/devices.ts";
import { linked } from "../../engine/gpu/install.ts";
import { engine } from "../../engine/index.ts";
import { readSpec } from "../../runs/record.ts";
import { deviceName } from "../../train/device.ts";
import { open } from "../../train/session.ts";
import { type RunSpec, specHash } from "../../train/spec.ts";

/** What is measured, and how. */
export interface Choice {
  /** The devices to choose from, as THALWEG_DEVICE takes them; default: the processor, and CUDA where it works. */
  readonly devices?: readonly string[] | undefined;
  /** The folder of the records. */
  readonly store?: string | undefined;
  /** Milliseconds of a training step on the device in use; null where the study takes none. */
  readonly measure?: (spec: RunSpec) => number | null;
  /** Is told what was chosen, in a line. */
  readonly say?: (line: string) => void;
}

/** Runs `work` on the device that suits a study, and goes back to the one in use before. */
export async function onFastest<R>(spec: RunSpec, choice: Choice, work: () => Promise<R>): Promise<R> {
  const candidates = choice.devices ?? (engine.isChosen ? [] : usual());
  if (candidates.length === 0) return work();
  const before = deviceName();
  const device =
    (choice.store && recordedOn(spec, choice.store, candidates)) ?? (await fastest(spec, candidates, choice));
  try {
    await useNamed(device, false);
    return await work();
  } finally {
    // One that was lost meanwhile is left already.
    if (deviceName() === device) await useNamed(before, false);
  }
}

/** CUDA is only there where somebody has installed it. Both of its ways are tried: loops, and steps as CUDA graphs. */
function usual(): string[] {
  if (linked() === "none") return [];
  const cuda = devices("cuda")[0]!;
  return cuda.isAvailable ? ["cpu", "cuda", "cuda+graphs"] : [];
}

/** The device that the record of a study was begun on; undefined where it has none on any of the candidates. */
export function recordedOn(spec: RunSpec, store: string, candidates: readonly string[] = usual()): string | undefined {
  const hash = specHash(spec);
  let names: string[];
  try {
    names = readdirSync(store);
  } catch {
    return undefined;
  }
  const found = names
    .map((name) => readSpec(join(store, name)))
    .find((one) => one?.hash === hash && candidates.includes(nameIn(one.device)));
  return found && nameIn(found.device);
}

/** A record says the device with the kind of machine. */
const nameIn = (device: string): string => device.replace(`-${process.platform}-${process.arch}`, "");

const known = new Map<string, string>();

async function fastest(
  spec: RunSpec,
  candidates: readonly string[],
  { measure = stepTime, say = note }: Choice,
): Promise<string> {
  const key = `${specHash(spec)} ${candidates}`;
  const chosen = known.get(key);
  if (chosen !== undefined) return chosen;
  const times: { readonly device: string; readonly ms: number }[] = [];
  for (const device of candidates) {
    try {
      await useNamed(device, false);
      const ms = measure(spec);
      if (ms === null) break;
      times.push({ device, ms });
    } catch (error) {
      // What does not work there is no candidate: the study says on the device that is left what is wrong with it, if anything is.
      say(`thalweg: ${device} is left out, since a step failed there (${(error as Error).message.split("\n")[0]})`);
    }
  }
  const [best] = [...times].sort((a, b) => a.ms - b.ms);
  const device = best?.device ?? candidates[0]!;
  if (best !== undefined) {
    const told = times.map(({ device: on, ms }) => `${ms.toPrecision(2)} ms on ${on}`).join(", ");
    say(
      `thalweg: one training step takes ${told}; this study runs on ${device} (engine.use and THALWEG_DEVICE choose otherwise)`,
    );
  }
  known.set(key, device);
  return device;
}

function note(line: string): void {
  if (!process.env.THALWEG_QUIET && !process.env.VITEST) console.error(line);
}

/** How many times it is measured, and how long at most. */
const [rounds, patience] = [3, 10_000];

/** Milliseconds of one training step of a study on the device in use: the least of some, after the first, which compiles. */
export function stepTime(spec: RunSpec): number | null {
  const session = open(spec, 0, deviceName());
  const times: number[] = [];
  const began = performance.now();
  try {
    let warm = false;
    while (times.length < rounds && performance.now() - began < patience) {
      const [{ step, phase }, started] = [session.cursor, performance.now()];
      if (!session.advance()) break;
      session.queue.splice(0);
      const taken = session.cursor.step - step;
      if (phase !== "train" || taken === 0) continue;
      if (warm) times.push((performance.now() - started) / taken);
      warm = true;
    }
  } finally {
    session.dispose();
  }
  return times.length === 0 ? null : Math.min(...times);
}
