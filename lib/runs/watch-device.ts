/** Watches the device while it computes: a picture that is drawn anew as long as it is watched. */
import { cpus, totalmem } from "node:os";
import { engine } from "../engine/index.ts";
import { type DeviceSample, deviceLoad } from "../plots/device-load.ts";
import type { Figure } from "../plots/figure.ts";
import { shown } from "./run.ts";

/** Settings of `watchDevice`. */
export interface WatchOptions {
  /** Seconds between two looks. Default 1. */
  readonly seconds?: number;
  /** How a look is taken; default: the first card where CUDA computes, elsewhere this process and the machine's memory. */
  readonly look?: () => Promise<Omit<DeviceSample, "seconds">>;
}

/** A device that is being watched. */
export interface DeviceWatch {
  readonly samples: readonly DeviceSample[];
  /** Looks once more and stops; gives the picture of it all. */
  stop(): Promise<Figure>;
}

type Show = (bundle: Record<string, unknown>, options: { displayId: string; update: boolean }) => void;

let displays = 0;

/**
 * Watches the device in use: how busy it is and how full its memory. In a notebook the picture is live.
 *
 * The card's own program is asked between steps, so that training hardly notices.
 *
 * @throws RangeError for seconds that are not a positive number.
 *
 * @example
 * ```ts
 * import { watchDevice } from "thalweg";
 * const watch = watchDevice({ seconds: 0.1 });
 * // … train …
 * const picture = await watch.stop();
 * watch.samples.length > 0; // true
 * ```
 */
export function watchDevice({ seconds = 1, look = lookAtDevice() }: WatchOptions = {}): DeviceWatch {
  if (!(seconds > 0)) throw new RangeError(`watchDevice: seconds above 0 are required, got ${seconds}`);
  const samples: DeviceSample[] = [];
  const began = performance.now();
  const show = (globalThis as { [key: symbol]: unknown })[Symbol.for("Jupyter.display")] as Show | undefined;
  const displayId = `thalweg-device-${process.pid}-${++displays}`;
  let looking: Promise<void> | undefined;
  const take = async (): Promise<void> => {
    const found = await look();
    samples.push({ ...found, seconds: (performance.now() - began) / 1000 });
    show?.(shown(deviceLoad(samples)), { displayId, update: samples.length > 1 });
  };
  const next = (): void => {
    // A look that takes longer than the pause is not begun a second time; one that fails is left out.
    looking ??= take()
      .catch(() => {})
      .finally(() => {
        looking = undefined;
      });
  };
  next();
  const timer = setInterval(next, 1000 * seconds);
  timer.unref();
  return {
    samples,
    async stop() {
      clearInterval(timer);
      await looking;
      await take();
      return deviceLoad(samples);
    },
  };
}

function lookAtDevice(): NonNullable<WatchOptions["look"]> {
  const count = cpus().length;
  let [cpu, at] = [process.cpuUsage(), performance.now()];
  return async () => {
    const { cards } = engine.device === "cuda" ? await engine.gpu() : { cards: [] };
    const [card] = cards;
    if (card !== undefined) return card;
    const spent = process.cpuUsage(cpu);
    const now = performance.now();
    const busy = (spent.user + spent.system) / 1000 / Math.max(now - at, 1) / count;
    [cpu, at] = [process.cpuUsage(), now];
    const name = `${engine.device} (${count} × ${cpus()[0]?.model.trim() ?? "processor"}), this process`;
    return { name, busy: Math.min(busy, 1), usedBytes: process.memoryUsage.rss(), memoryBytes: totalmem() };
  };
}
