/** Kernels that are linear combinations of templates: blocks side by side, each with coefficients of its own. */
import { needWhole } from "../../data/options.ts";
import { type Rng, tf } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import type { ParameterKind } from "../parameters.ts";

/** How a kernel is made of templates. */
export interface TemplateOptions {
  /** How many templates a block mixes. Default 2. */
  readonly templates?: number;
  /**
   * Of how many blocks the kernel is, along its inputs and along its units. The blocks of one part of the units mix the templates of that part; where the
   * units are in one part, those of one part of the inputs do. Default [1, 1].
   */
  readonly grid?: readonly [inputs: number, units: number];
}

/** The options with nothing left out. Throws unless they are whole numbers. */
export function templateOptions(
  where: string,
  { templates = 2, grid = [1, 1] }: TemplateOptions,
): { readonly templates: number; readonly grid: readonly [number, number] } {
  needWhole(where, "templates", templates);
  for (const count of grid) needWhole(where, "a number of blocks", count);
  return { templates, grid: [grid[0], grid[1]] };
}

/** The name of the set of templates that a block mixes, and of its coefficients, from 1. */
export const setOf = ([, units]: readonly [number, number], input: number, unit: number): string =>
  `${units > 1 ? unit + 1 : input + 1}`;
export const blockName = (input: number, unit: number): string => `${input + 1}-${unit + 1}`;

/** The places of all blocks. */
export function blocksOfGrid([inputs, units]: readonly [number, number]): (readonly [input: number, unit: number])[] {
  return Array.from({ length: inputs * units }, (_, i) => [Math.floor(i / units), i % units] as const);
}

/** New templates, normal with deviation √(2 / fan-in), and coefficients of length 1, for a kernel of a shape `[…, inputs, units]`. */
export function templateParams(
  where: string,
  rng: Rng,
  shape: readonly number[],
  { templates, grid }: ReturnType<typeof templateOptions>,
): Params {
  const [inputs, units] = shape.slice(-2) as [number, number];
  if (inputs % grid[0] !== 0 || units % grid[1] !== 0)
    throw new RangeError(
      `${where}: inputs and units that the grid [${grid}] divides are required, got ${inputs} and ${units}`,
    );
  const own = [...shape.slice(0, -2), inputs / grid[0], units / grid[1]];
  const fanIn = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const blocks = blocksOfGrid(grid);
  const sets = new Set(blocks.map(([i, j]) => setOf(grid, i, j)));
  return {
    templates: Object.fromEntries(
      [...sets].map((set) => [set, rng.at("templates", set).normals([templates, ...own], 0, Math.sqrt(2 / fanIn))]),
    ),
    coefficients: Object.fromEntries(
      blocks.map(([i, j]) => {
        const drawn = rng.at("coefficients", i, j).normals([templates]);
        return [blockName(i, j), tf.div(drawn, tf.norm(drawn))];
      }),
    ),
  };
}

/** The kernel that templates and coefficients come to. */
export function mixedKernel(params: Params, { grid }: { readonly grid: readonly [number, number] }): tf.Tensor {
  const [sets, coefficients] = [params.templates, params.coefficients] as Record<string, tf.Tensor>[];
  const block = (i: number, j: number): tf.Tensor => {
    const templates = sets![setOf(grid, i, j)]!;
    const [count, ...shape] = templates.shape as [number, ...number[]];
    const own = tf.reshape(coefficients![blockName(i, j)]!, [1, count]) as tf.Tensor2D;
    return tf.reshape(tf.matMul(own, tf.reshape(templates, [count, -1]) as tf.Tensor2D), shape);
  };
  const columns = Array.from({ length: grid[1] }, (_, j) => {
    const rows = Array.from({ length: grid[0] }, (_, i) => block(i, j));
    return rows.length === 1 ? rows[0]! : tf.concat(rows, rows[0]!.rank - 2);
  });
  return columns.length === 1 ? columns[0]! : tf.concat(columns, columns[0]!.rank - 1);
}

/** Coefficients are switches of templates: what shrinks weights leaves them. */
export const kindOfTemplate = ([first]: readonly string[]): ParameterKind | undefined =>
  first === "coefficients" ? "gate" : first === "templates" ? "weight" : undefined;
