/** How a run shows that it is going on: a bar in a terminal, a live plot in a notebook, both from the run's events. */
import { accuracyCurves } from "../plots/accuracy-curves.ts";
import type { Figure } from "../plots/figure.ts";
import type { TrainEvent } from "../train/events.ts";
import { shown } from "./run.ts";

/** Follows the events of runs. */
export interface Progress {
  /** A run with a seed begins: the `index`-th of `total`. */
  begin(seed: number, index: number, total: number): void;
  /** What happened in the `index`-th run; in the one that began last where nothing is said. */
  event(event: TrainEvent, index?: number): void;
  /** Everything is done, or was stopped: the last state is shown for good. */
  end(): void;
}

/** Says where it computes and how far it is; the kernel's page shows that in its status bar. */
type Tell = (status: { device?: string; progress: { share: number; text: string } | null }) => void;
type Show = (bundle: Record<string, unknown>, options?: { displayId?: string; update?: boolean }) => void;

/** Least time between two pictures, in milliseconds. */
const interval = 250;

/** Follows the runs of an experiment wherever it is run: in a notebook, in a terminal, or nowhere (a pipe shows nothing). */
export function progress(name: string, tasks: readonly string[]): Progress {
  const show = (globalThis as { [key: symbol]: unknown })[Symbol.for("Jupyter.display")];
  if (typeof show === "function") return notebook(name, tasks, show as Show);
  return process.stderr.isTTY ? terminal(name) : silent;
}

/** Follows nothing. */
export const silent: Progress = { begin() {}, event() {}, end() {} };

/** Where a run is, in a line. */
class Place {
  #seed = "";
  #device = "";
  #experiences: number | null = null;
  #experience = 0;
  #steps: number | null = null;
  #before = 0;
  #step = 0;
  #loss = Number.NaN;
  #share = 0;

  begin(seed: number, index: number, total: number): void {
    this.#seed = total === 1 ? "" : `seed ${seed} (${index + 1} of ${total}) · `;
    this.#experience = 0;
    this.#share = 0;
  }

  take(event: TrainEvent): void {
    if (event.type === "started") {
      this.#experiences = event.experiences;
      this.#device = event.device;
    } else if (event.type === "boundary") {
      this.#experience = event.experience;
      this.#steps = event.steps;
      this.#before = event.step;
    } else if (event.type === "step") {
      this.#step = event.step;
      this.#loss = Number.isNaN(this.#loss) ? event.loss : 0.95 * this.#loss + 0.05 * event.loss;
    }
    const within = this.#steps === null || this.#steps === 0 ? 0 : (this.#step - this.#before) / this.#steps;
    if (this.#experiences !== null) this.#share = Math.min(1, (this.#experience + within) / this.#experiences);
    if (event.type === "finished") this.#share = 1;
  }

  /** The share of the run that is done, from 0 to 1. */
  get share(): number {
    return this.#share;
  }

  get device(): string {
    return this.#device;
  }

  line(): string {
    const of = this.#experiences === null ? "" : ` of ${this.#experiences}`;
    const loss = Number.isNaN(this.#loss) ? "" : ` · loss ${this.#loss.toPrecision(3)}`;
    return `${this.#seed}experience ${this.#experience + 1}${of} · step ${this.#step}${loss} · on ${this.#device}`;
  }
}

/** Where runs are that go on one after the other or together. */
class Places {
  readonly #runs = new Map<number, Place>();
  #last = 0;

  begin(seed: number, index: number, total: number): void {
    const place = new Place();
    place.begin(seed, index, total);
    this.#runs.set(index, place);
    this.#last = index;
  }

  take(event: TrainEvent, index = this.#last): void {
    this.#runs.get(index)?.take(event);
    this.#last = index;
  }

  /** The share of the runs under way that is done: of one run its own, of several their mean. */
  get share(): number {
    const going = this.#going();
    return going.reduce((sum, place) => sum + place.share, 0) / Math.max(1, going.length);
  }

  get device(): string {
    return this.#runs.get(this.#last)?.device ?? "";
  }

  line(): string {
    const going = this.#going();
    return going.length > 1
      ? `${going.length} runs at once · ${this.#runs.get(this.#last)!.line()}`
      : (going[0]?.line() ?? "");
  }

  #going(): Place[] {
    const all = [...this.#runs.values()];
    const open = all.filter((place) => place.share < 1);
    return open.length > 0 ? open : all.slice(-1);
  }
}

function terminal(name: string): Progress {
  const place = new Places();
  let drawn = 0;
  const draw = (): void => {
    const width = 24;
    const full = Math.round(place.share * width);
    process.stderr.write(`\r\x1b[2K${name} ${"█".repeat(full)}${"░".repeat(width - full)} ${place.line()}`);
    drawn = performance.now();
  };
  return {
    begin: (...at) => place.begin(...at),
    event(event, index) {
      place.take(event, index);
      if (performance.now() - drawn > interval) draw();
    },
    end: () => void process.stderr.write("\r\x1b[2K"),
  };
}

/** Numbers the live displays of this process, so that each has its own place in the notebook. */
let displays = 0;

function notebook(name: string, tasks: readonly string[], show: Show): Progress {
  const displayId = `thalweg-live-${process.pid}-${++displays}`;
  const place = new Places();
  const logs: TrainEvent[][] = [];
  let drawn = performance.now();
  let shownOnce = false;
  const status = (globalThis as { [key: symbol]: unknown })[Symbol.for("Jupyter.status")];
  const tell = typeof status === "function" ? (status as Tell) : () => {};
  const picture = (title: string): Figure =>
    accuracyCurves(
      logs.filter((log) => log !== undefined),
      { tasks, title },
    );
  const draw = (title: string): void => {
    show(shown(picture(title)), { displayId, update: shownOnce });
    tell({ device: place.device, progress: { share: place.share, text: `${name}: ${place.line()}` } });
    shownOnce = true;
    drawn = performance.now();
  };
  return {
    begin(...at) {
      place.begin(...at);
      logs[at[1]] = [];
    },
    event(event, index = logs.length - 1) {
      place.take(event, index);
      if (event.type !== "step") logs[index]?.push(event);
      if (performance.now() - drawn > interval) draw(`${name} · ${Math.round(100 * place.share)} % · ${place.line()}`);
    },
    end() {
      draw(`${name}: accuracy over the run`);
      tell({ progress: null });
    },
  };
}
