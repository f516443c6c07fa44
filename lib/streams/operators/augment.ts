/** Shows the training images in several slightly different ways. */
import { type Examples, mapped, type Raw, type Shape, select } from "../../data/dataset.ts";
import { needShare, needWhole, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { operator } from "../operator.ts";
import { rotation } from "../parts/rotation.ts";
import { rngOf } from "../parts/seed.ts";
import { retrained } from "../parts/tables.ts";
import type { Seed } from "../stream.ts";

/** What `augment` can be told. */
export interface AugmentOptions {
  /** How many versions of each training example there are; default 1: each is changed once. */
  readonly copies?: number;
  /** Moves by up to so many pixels up or down, and left or right; what comes in from outside is 0; default 0. */
  readonly shiftPixels?: number;
  /** The share that is mirrored left to right; default 0. */
  readonly flip?: number;
  /** Turns by up to so many degrees either way; default 0. */
  readonly degrees?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Changes the training images at random: shifts, mirrors, turns. With `copies` every example comes so many times, each time changed
 * another way, so that one epoch is as long as `copies`. What is drawn depends on the example alone, so a run can be resumed anywhere.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * operators.augment({ copies: 3, shiftPixels: 1 })(classes(digits())).experience(0).train.length; // 4311
 * ```
 */
export const augment = operator(
  "augment",
  (options: AugmentOptions = {}) => {
    const o = withDefaults<Required<AugmentOptions>>("augment", options, {
      copies: 1,
      shiftPixels: 0,
      flip: 0,
      degrees: 0,
      seed: 0,
    });
    needWhole("augment", "copies", o.copies);
    needWhole("augment", "shiftPixels", o.shiftPixels, 0);
    needShare("augment", "flip", o.flip);
    if (!(o.degrees >= 0)) throw new RangeError(`augment: degrees must be a number from 0, got ${o.degrees}`);
    const rng = rngOf(o.seed, "augment");
    return (stream) =>
      retrained(
        stream,
        (train, { index }) => changed(train, o, rng.at(index)),
        (before) => before * o.copies,
      );
  },
  { kinds: ["image"] },
);

function changed(of: Examples, o: Required<AugmentOptions>, rng: Rng): Examples {
  const rows = Uint32Array.from({ length: of.length * o.copies }, (_, i) => i % of.length);
  const shape = of.shape as readonly [number, number, number];
  return mapped(select(of, rows), (row, out, at) => {
    const draw = rng.at(at);
    const [down, right] = [0, 0].map(() => (o.shiftPixels === 0 ? 0 : draw.int(2 * o.shiftPixels + 1) - o.shiftPixels));
    const mirror = draw.uniform() < o.flip;
    const angle = o.degrees * (2 * draw.uniform() - 1);
    const turned = o.degrees === 0 ? row : row.slice();
    if (o.degrees !== 0) rotation(shape, angle)(row, turned);
    moved(turned, out, shape, down!, right!, mirror);
  });
}

function moved(
  row: Raw,
  out: Raw,
  [height, width, channels]: Shape,
  down: number,
  right: number,
  mirror: boolean,
): void {
  for (let y = 0; y < height!; y++) {
    for (let x = 0; x < width!; x++) {
      const [fromY, seen] = [y - down, x - right];
      const fromX = mirror ? width! - 1 - seen : seen;
      const inside = fromY >= 0 && fromY < height! && seen >= 0 && seen < width!;
      for (let c = 0; c < channels!; c++)
        out[(y * width! + x) * channels! + c] = inside ? row[(fromY * width! + fromX) * channels! + c]! : 0;
    }
  }
}
