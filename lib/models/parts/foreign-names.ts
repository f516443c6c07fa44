/** How tensors of another library's files are the tensors of a model of ours. */

/** A tensor of a file and where it goes. */
export interface ForeignName {
  /** Its name in the file. */
  readonly from: string;
  /** Its path in the network: "model/…" or "head/…"; of running statistics "statistics/…". */
  readonly to: string;
  /** How its axes are turned, as `tf.transpose` takes it. Default: they stay. */
  readonly turn?: readonly number[];
  /** That part of its last axis, before it is turned: the `part`th of `of` equal ones. */
  readonly cut?: { readonly part: number; readonly of: number };
}

/** Products of PyTorch are `[outputs, inputs]`, ours `[inputs, outputs]`. */
export const turned = [1, 0] as const;
/** Filters of PyTorch are outputs, inputs, height, width; ours height, width, inputs, outputs. */
export const turnedFilter = [2, 3, 1, 0] as const;

/** Kernel and bias of a dense layer of PyTorch. */
export function denseNames(from: string, to: string, bias = true): ForeignName[] {
  return [
    { from: `${from}.weight`, to: `${to}/kernel`, turn: turned },
    ...(bias ? [{ from: `${from}.bias`, to: `${to}/bias` }] : []),
  ];
}

/** Kernel and bias of a convolution of PyTorch. */
export function convNames(from: string, to: string, bias = true): ForeignName[] {
  return [
    { from: `${from}.weight`, to: `${to}/kernel`, turn: turnedFilter },
    ...(bias ? [{ from: `${from}.bias`, to: `${to}/bias` }] : []),
  ];
}

/** Scale and shift of a normalisation of PyTorch. */
export function normNames(from: string, to: string): ForeignName[] {
  return [
    { from: `${from}.weight`, to: `${to}/scale` },
    { from: `${from}.bias`, to: `${to}/shift` },
  ];
}
