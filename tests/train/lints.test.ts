import { expect, test } from "vitest";
import { mapTensors, tf } from "../../lib/engine/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { gpm } from "../../lib/strategies/projection/gpm.ts";
import { ewc } from "../../lib/strategies/regularisation/ewc.ts";
import { si } from "../../lib/strategies/regularisation/si.ts";
import { hpcr } from "../../lib/strategies/replay/hpcr.ts";
import { strategy } from "../../lib/strategies/strategy.ts";
import { lints } from "../../lib/train/lints.ts";
import { run, spec, stream } from "../strategies/support.ts";

const over = stream({ needs: [] } as never, 12);

test("a penalty of strength 0 is found out, one that works is not", () => {
  expect(lints(run(spec(over, [ewc({ lambda: 0 })])).events)).toEqual([
    expect.stringContaining("ewc: its term has been exactly zero since experience 1"),
  ]);
  expect(lints(run(spec(over, [ewc({ lambda: 10 })])).events)).toEqual([]);
});

test("a projection that changes nothing is found out, one that does is not", () => {
  const frozen = { optimizer: sgd({ lr: 1e-9 }) };
  expect(lints(run(spec(over, [gpm({ share: 1e-6 })], frozen)).events)).toEqual([]);
  const idle = strategy("idle", {}, () => ({ role: "projection", gradient: (_state, gradient) => gradient }));
  expect(lints(run(spec(over, [idle()])).events)).toEqual([
    expect.stringContaining("idle: it has changed no gradient since experience 1"),
  ]);
});

test("a projection says how much of the gradient it has changed", () => {
  const half = strategy("half", {}, () => ({
    role: "projection",
    gradient: (_state, gradient) => mapTensors((g) => tf.mul(g, 0.5), gradient),
  }));
  const shares = run(spec(over, [half()])).events.flatMap((e) => (e.type === "step" ? [e.projected!.half!] : []));
  expect(shares.length).toBeGreaterThan(0);
  for (const share of shares) expect(share).toBeCloseTo(0.5, 5);
});

test("distillation that is switched off is found out, though it is part of a method's own loss", () => {
  expect(lints(run(spec(over, [hpcr({ capacity: 6, proxies: 0, structure: 0 })])).events)).toEqual([
    expect.stringContaining("hpcr: its term has been exactly zero since experience 1"),
  ]);
});

test("a cap that cuts nearly all weights is found out", () => {
  const said = lints(run(spec(over, [si({ most: 1e-30 })])).events);
  expect(said.some((text) => text.includes("the cap of 1e-30 is active on"))).toBe(true);
});
