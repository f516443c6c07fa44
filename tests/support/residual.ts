/** A model of one's own, written by hand: a slim residual network (He et al. 2016) of the library's layers. */
import { type Mode, type Model, net, tf as ops, type Params, type tf, tfLayers } from "thalweg";

/** A residual network with one block for each number of filters; every block but the first halves the image. */
export function residual(filters: readonly [number, ...number[]]): Model<"image"> {
  const stem = net().conv(filters[0], 3, { bias: false }).batchNorm().relu();
  const blocks = filters.map((count, i) => {
    const stride = i === 0 ? 1 : 2;
    const body = net().conv(count, 3, { stride, bias: false }).batchNorm().relu().conv(count, 3).batchNorm();
    return { body, skip: net().conv(count, 1, { stride, bias: false }).batchNorm() };
  });
  const end = net().relu().flatten();
  const parts = (): [string, Model][] => [
    ["stem", stem],
    ...blocks.flatMap(({ body, skip }, i): [string, Model][] => [
      [`body${i}`, body],
      [`skip${i}`, skip],
    ]),
  ];
  /** Goes through the parts, by what each does and how two are added. */
  function through<T>(x: T, pass: (part: Model, name: string, x: T) => T, add: (a: T, b: T, i: number) => T): T {
    let now = pass(stem, "stem", x);
    blocks.forEach(({ body, skip }, i) => {
      now = add(pass(body, `body${i}`, now), pass(skip, `skip${i}`, now), i);
    });
    return pass(end, "end", now);
  }
  const shapes = (input: readonly number[]): Record<string, readonly number[]> => {
    const seen: Record<string, readonly number[]> = {};
    through(
      input,
      (part, name, shape) => {
        seen[name] = shape;
        return part.features(shape);
      },
      (a) => a,
    );
    return seen;
  };
  const each = (
    input: readonly number[],
    make: (part: Model, shape: readonly number[], name: string) => Params,
  ): Params => Object.fromEntries(parts().map(([name, part]) => [name, make(part, shapes(input)[name]!, name)]));
  const spec = { name: "residual", options: { filters: [...filters] } };
  return {
    spec,
    accepts: ["image"],
    features: (input) =>
      through(
        input,
        (part, _, shape) => part.features(shape),
        (a) => a,
      ),
    init: (rng, input) => each(input, (part, shape, name) => part.init(rng.at(name), shape)),
    statistics: (input) => each(input, (part, shape) => part.statistics(shape)),
    apply: (params, x: tf.Tensor, mode: Mode) =>
      through(
        x,
        (part, name, now) => part.apply((params[name] ?? {}) as Params, now, mode.at(name)),
        (a, b) => ops.add(a, b),
      ),
    counterpart: (x, at, params, statistics) =>
      through(
        x,
        (part, name, now) =>
          part.counterpart!(now, `${at}${name}-`, (params[name] ?? {}) as Params, (statistics[name] ?? {}) as Params),
        (a, b, i) => tfLayers.layers.add({ name: `${at}add${i}` }).apply([a, b]) as tfLayers.SymbolicTensor,
      ),
    summary: () => [],
    toJSON: () => spec,
  };
}
