import { expect, test } from "vitest";
import { blobs, classes, experience, mlp, populationBased, sgd } from "../../lib/index.ts";

const study = classes(blobs({ classes: 4, perClass: 40 }))
  .learn(mlp({ hidden: [8] }))
  .train({ batch: 8, steps: 24 })
  .evaluate({ everySteps: 8, atStart: false });
const at = [experience(0).step(8), experience(0).step(16)];
const losses = (events: readonly { type: string }[]): number[] =>
  events.flatMap((event) => (event.type === "step" ? [(event as unknown as { loss: number }).loss] : []));

test("populationBased lets the worst go on from the best, with settings multiplied by one of the factors", async () => {
  const found = await populationBased({ lr: [0.0001, 0.1] }, ({ lr }) => study.with(sgd({ lr })), {
    at,
    size: 4,
    factors: [0.5, 2],
  });
  expect(found.copies).toHaveLength(2);
  const [best] = found.members as [(typeof found.members)[number]];
  for (const { schedule, events } of found.members) {
    expect(schedule).toHaveLength(3);
    expect(losses(events)).toHaveLength(24);
    for (const [i, { lr }] of schedule.slice(1).entries()) expect([1, 0.5, 2]).toContain(lr / schedule[i]!.lr);
  }
  expect(best.score).toBe(Math.max(...found.members.map(({ score }) => score)));
  // one that went on from another has that one's past: its weights gave the same losses
  const changed = found.members.filter(({ schedule }) =>
    schedule.some(({ lr }, i) => i > 0 && lr !== schedule[i - 1]!.lr),
  );
  expect(changed.length).toBeGreaterThan(0);
  for (const member of changed) {
    const place = member.schedule.findIndex(({ lr }, i) => i > 0 && lr !== member.schedule[i - 1]!.lr);
    const source = found.members.find(
      (other) => other !== member && losses(other.events)[8 * place] === losses(member.events)[8 * place],
    );
    if (place === 1 && source) expect(losses(member.events).slice(0, 9)).toEqual(losses(source.events).slice(0, 9));
  }
  expect(found.table().rows().length).toBe(12);
  const again = await populationBased({ lr: [0.0001, 0.1] }, ({ lr }) => study.with(sgd({ lr })), {
    at,
    size: 4,
    factors: [0.5, 2],
  });
  expect(again.members.map(({ schedule }) => schedule)).toEqual(found.members.map(({ schedule }) => schedule));
});

test("populationBased replaces a run whose loss is not finite, and says what it requires", async () => {
  const make = ({ lr }: { lr: number }) => study.with(sgd({ lr }));
  const found = await populationBased({ lr: [0.1, 1e30] }, make, { at, size: 4, replaced: 0.5 });
  expect(found.members.every(({ score }) => Number.isFinite(score) || score === Number.NEGATIVE_INFINITY)).toBe(true);
  expect(found.members[0]!.score).toBeGreaterThan(0.4);
  await expect(populationBased({ lr: [0.1] }, make, { at: [] })).rejects.toThrow("at least one place to compare at");
  await expect(populationBased({ lr: [0.1] }, make, { at, size: 1 })).rejects.toThrow("at least two runs are required");
});
