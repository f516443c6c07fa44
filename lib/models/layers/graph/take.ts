import { composite } from "../../composite.ts";
import { recalled, requireName } from "../../parts/remembering.ts";

/**
 * Goes on from what was remembered under a name, by `tap` or as one of the `inputs`, in place of what comes in.
 *
 * @throws RangeError when nothing is remembered under the name.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().inputs({ picture: [8, 8, 1], age: [1] }).take("picture").conv(4, 3).features([65]); // [8, 8, 4]
 * ```
 */
export const take = composite(
  "take",
  (name: string) => {
    requireName("take", name);
    return {
      options: { name },
      parts: [],
      gives: "vector",
      flow: (_, { remembered }) => recalled("take", name, remembered),
    };
  },
  (options) => [(options as { readonly name: string }).name],
);
