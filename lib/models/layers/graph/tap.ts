import { composite } from "../../composite.ts";
import { requireName } from "../../parts/remembering.ts";

/**
 * Lets everything through and remembers it under a name, for a later `read` or `take`, also inside of other layers or out of them.
 *
 * A later tap of the same name replaces what an earlier one remembered.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * const model = net().conv(4, 3).tap("fine").pool(2).conv(8, 3).flatten().dense(6);
 * model.features([8, 8, 1]); // [6]
 * ```
 */
export const tap = composite(
  "tap",
  (name: string) => {
    requireName("tap", name);
    return {
      options: { name },
      parts: [],
      gives: "same",
      flow(x, { remembered }) {
        remembered.set(name, x);
        return x;
      },
    };
  },
  (options) => [(options as { readonly name: string }).name],
);
