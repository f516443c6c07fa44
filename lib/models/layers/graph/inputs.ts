import { type Shape, sizeOf } from "../../../data/dataset.ts";
import { composite } from "../../composite.ts";

/**
 * Says what an example is made of: parts with names and shapes, one after another in a vector. Each is remembered under its name for
 * `take` and `read`; the vector goes on.
 *
 * A stream's example is one tensor, so several inputs come as one vector that holds all their numbers. `joinInputs` makes it.
 *
 * @throws RangeError when the vector has not as many numbers as the parts.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * const model = net()
 *   .inputs({ picture: [8, 8, 1], age: [1] })
 *   .branch([(n) => n.take("picture").conv(4, 3).relu().flatten(), (n) => n.take("age").dense(3)])
 *   .dense(16);
 * model.features([65]); // [16]
 * ```
 */
export const inputs = composite(
  "inputs",
  (shapes: { readonly [name: string]: Shape }) => {
    const all = Object.entries(shapes);
    for (const [name, shape] of all)
      if (shape.length === 0 || !shape.every((n) => Number.isInteger(n) && n > 0))
        throw new RangeError(`inputs: a shape of whole numbers is required for "${name}", got [${shape}]`);
    const total = all.reduce((sum, [, shape]) => sum + sizeOf(shape), 0);
    return {
      options: { ...shapes },
      parts: [],
      accepts: ["vector"],
      gives: "vector",
      flow(x, { cut, remembered }) {
        let from = 0;
        for (const [name, shape] of all) {
          remembered.set(name, cut(x, from, shape));
          from += sizeOf(shape);
        }
        return x;
      },
      fits(input: Shape) {
        if (input.length !== 1 || input[0] !== total)
          throw new RangeError(
            `inputs: a vector of ${total} numbers is required for ${all.map(([name, shape]) => `${name} [${shape}]`).join(", ")}, got shape [${input}]`,
          );
      },
    };
  },
  (options) => [options as { readonly [name: string]: Shape }],
);
