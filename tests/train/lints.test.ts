import { expect, test } from "vitest";
import { ewc } from "../../lib/strategies/ewc.ts";
import { si } from "../../lib/strategies/si.ts";
import { lints } from "../../lib/train/lints.ts";
import { run, spec, stream } from "../strategies/support.ts";

const over = stream({ needs: [] } as never, 12);

test("a penalty of strength 0 is found out, one that works is not", () => {
  expect(lints(run(spec(over, [ewc({ lambda: 0 })])).events)).toEqual([
    expect.stringContaining("ewc: its term has been exactly zero since experience 1"),
  ]);
  expect(lints(run(spec(over, [ewc({ lambda: 10 })])).events)).toEqual([]);
});

test("a cap that cuts nearly all weights is found out", () => {
  const said = lints(run(spec(over, [si({ most: 1e-30 })])).events);
  expect(said.some((text) => text.includes("the cap of 1e-30 is active on"))).toBe(true);
});
