/** Which layers are trained where memory is short, and what training them takes. */

/** A layer with a kernel, as far as memory is concerned. */
export interface PlannedLayer {
  readonly path: string;
  /** Numbers that come into it for one example, and that go out. */
  readonly inputs: number;
  readonly outputs: number;
  /** Channels that come in, and numbers of the kernel for each. */
  readonly channels: number;
  readonly perChannel: number;
  /** Numbers of its bias; 0 without one. */
  readonly biases: number;
}

/** What an update is thought to be worth. */
export interface Worth {
  /** For each layer: of its bias. */
  readonly biases: readonly number[];
  /** For each layer: of each of the shares of its channels. */
  readonly kernels: readonly (readonly number[])[];
}

/** The last layers whose biases are trained, and for each layer how many of its channels are. */
export interface UpdatePlan {
  readonly last: number;
  readonly channels: readonly number[];
  readonly bytes: number;
}

/** Channels that a share is. */
export function channelsOf({ channels }: PlannedLayer, share: number): number {
  return share === 0 ? 0 : Math.max(1, Math.round(share * channels));
}

/**
 * Bytes that training takes besides the network: for a layer whose bias is trained, or a later one's, a bit for each number that goes out (whether it was cut off) and four bytes
 * for each number of the bias; for a kernel `bits` for each number that came in by the trained channels, and for each of their weights.
 */
export function bytesOf(layer: PlannedLayer, channels: number, bits: number): number {
  const kernel = (layer.inputs / layer.channels) * channels + channels * layer.perChannel;
  return layer.outputs / 8 + layer.biases * 4 + (kernel * bits) / 8;
}

/**
 * The plan of the most worth whose bytes are at most `budget`: for each number of last layers a knapsack of shares. Of plans worth as much the smaller one; without room for any
 * nothing but the head is trained.
 */
export function bestPlan(
  layers: readonly PlannedLayer[],
  worth: Worth,
  shares: readonly number[],
  budget: number,
  bits: number,
): UpdatePlan {
  type Partial = { readonly bytes: number; readonly worth: number; readonly channels: readonly number[] };
  let best: Partial & { readonly last: number } = { bytes: 0, worth: 0, channels: layers.map(() => 0), last: 0 };
  let open: readonly Partial[] = [{ bytes: 0, worth: 0, channels: [] }];
  for (let last = 1; last <= layers.length; last++) {
    const at = layers.length - last;
    const layer = layers[at]!;
    const options = [0, ...shares].map((share, k) => {
      const channels = channelsOf(layer, share);
      const own = worth.biases[at]! + (k === 0 ? 0 : worth.kernels[at]![k - 1]!);
      return { channels, worth: own, bytes: bytesOf(layer, channels, bits) };
    });
    const all = open.flatMap((plan) =>
      options.map((option) => ({
        bytes: plan.bytes + option.bytes,
        worth: plan.worth + option.worth,
        channels: [option.channels, ...plan.channels],
      })),
    );
    open = undominated(all.filter(({ bytes }) => bytes <= budget));
    for (const plan of open)
      if (plan.worth > best.worth) best = { ...plan, channels: [...Array<number>(at).fill(0), ...plan.channels], last };
  }
  return { last: best.last, channels: best.channels, bytes: best.bytes };
}

/** Plans than which none is both smaller and worth as much. */
function undominated<P extends { readonly bytes: number; readonly worth: number }>(plans: readonly P[]): readonly P[] {
  const kept: P[] = [];
  for (const plan of [...plans].sort((a, b) => a.bytes - b.bytes || b.worth - a.worth))
    if (kept.length === 0 || plan.worth > kept.at(-1)!.worth) kept.push(plan);
  return kept;
}
