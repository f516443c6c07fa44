/** Programs whose results stay on the device: what a call brings along crosses to it, what is asked for crosses back, nothing else. */

import { target } from "../graph/target.ts";
import type { GraphSpec } from "../onnx/writer.ts";
import type { Program } from "../runtime/program.ts";
import { explained } from "../runtime/session.ts";
import { Block } from "../runtime/storage.ts";
import { type BoundDevice, bound, DeviceLost, kindOf } from "./device.ts";
import { bytesOf, DeviceTensor, megabytes, OutOfMemory, type Place } from "./memory.ts";
import { type Bound, type CSession, cSession } from "./session.ts";

const lostDevices = new WeakSet<BoundDevice>();

/** Compiles a graph for the device in use. */
export function boundProgram(spec: GraphSpec, threads: number, device: BoundDevice): Program {
  const { memory } = device;
  const session = guarded(spec.name, device, () => cSession(spec, threads, device));
  /** The places of results, by result: a result that is freed before the next call comes to the same address again. */
  const rings: Place[][] = spec.outputs.map(() => []);
  /** Where inputs go that come anew with each call. */
  const staging: (Place | undefined)[] = spec.inputs.map(() => undefined);
  let isLive = true;

  function staged(i: number, bytes: number): Place {
    const had = staging[i];
    if (had?.bytes === bytes) return had;
    if (had !== undefined) memory.give(had);
    return (staging[i] = memory.take([], bytes));
  }

  /** The address of an input: where it is, or where it is copied to. What comes a second time is kept there. */
  function addressOf(block: Block, i: number, shape: readonly number[]): Bound {
    const bytes = bytesOf(block.type, shape);
    const there = block.resident(memory);
    if (there !== null) return { at: there.place.at, bytes, shape };
    if (block.comesAgain()) {
      const copy = new DeviceTensor(memory, memory.take([], bytes), block.type, block.size);
      memory.write(copy.place, block.data);
      block.keep(copy);
      return { at: copy.place.at, bytes, shape };
    }
    const place = staged(i, bytes);
    memory.write(place, block.data);
    return { at: place.at, bytes, shape };
  }

  return {
    isThreaded: threads > 1,
    run(inputs, inputShapes, outputs) {
      requireLive(device);
      return guarded(spec.name, device, () => {
        const given = inputs.map((block, i) => addressOf(block, i, inputShapes[i]!));
        const places: Place[] = [];
        try {
          outputs.forEach(({ type, shape }, i) => {
            places.push(memory.take(rings[i]!, bytesOf(type, shape)));
          });
          const results = outputs.map(({ shape }, i) => ({ at: places[i]!.at, bytes: places[i]!.bytes, shape }));
          session.run(given, results);
        } catch (error) {
          for (const place of places) memory.give(place);
          throw error;
        }
        return outputs.map(({ type, shape }, i) => {
          const size = shape.reduce((product, length) => product * length, 1);
          return Block.onDevice(new DeviceTensor(memory, places[i]!, type, size));
        });
      });
    },
    dispose() {
      if (!isLive) return;
      isLive = false;
      // What a device that is gone held is gone with it; telling it to free something may end the process.
      if (lostDevices.has(device)) return;
      (session as CSession).dispose();
      for (const place of staging) if (place !== undefined) memory.give(place);
      for (const ring of rings) memory.trim(ring);
    },
  };
}

/** Numbers on a device that is not in use any more are fetched by whoever asks; programs for it do not run again. */
function requireLive(device: BoundDevice): void {
  if (bound.device !== device)
    throw new Error(
      "engine: a program of the device in use is required, got one of a device that was left; call the function again",
    );
}

/** Runs what the device does: memory that is full is freed once and asked again, and errors say what to do. */
function guarded<R>(program: string, device: BoundDevice, work: () => R, isSecond = false): R {
  try {
    return work();
  } catch (error) {
    const message = (error as Error).message;
    const kind = error instanceof OutOfMemory ? "memory" : kindOf(message);
    if (kind === "memory" && !isSecond) {
      device.memory.trim();
      return guarded(program, device, work, true);
    }
    if (kind === "memory") {
      target.generation++; // compiled functions let go of what their programs hold
      const held = `this process holds ${megabytes(device.memory.taken)} for tensors`;
      throw error instanceof OutOfMemory
        ? Object.assign(error, { message: `${program}: ${message}` })
        : new OutOfMemory(
            `${program}: memory on the device is required, got none left; ${held}; use smaller batches or a smaller network, or free tensors (${message.split("\n")[0]})`,
          );
    }
    if (kind === "lost") {
      lostDevices.add(device);
      device.lost(message);
      throw new DeviceLost(
        `${program}: the GPU does not answer any more (${message.split("\n")[0]}); what lay in its memory is gone, and programs run on the processor from here on`,
      );
    }
    throw explained(error, program);
  }
}
