import { describe, expect, test } from "vitest";
import { BUDGET_BURST, BUDGET_RATE, Budget, copiesFor, PLANS } from "../../../src/core/wire/hedge.ts";
import { LossEstimate, LossMeter } from "../../../src/core/wire/loss.ts";
import { load } from "./vectors.ts";

type Report = ["report", upto: number, lost: number, runs: number, at: number, taken: boolean];
type Look = ["look", at: number, lost: number, again: number];

interface HedgeVectors {
  plans: { stream: number; gaps: number[] }[];
  choices: [lost: number, again: number, copies: number][];
  meter: { name: string; steps: [seq: number, at: number, upto: number, lost: number, runs: number, due: boolean][] }[];
  estimate: { name: string; steps: (Report | Look)[] }[];
}

const vectors = load<HedgeVectors>("hedge.json");

describe("golden plans", () => {
  test("the table", () => expect(PLANS).toEqual(vectors.plans));

  test.each(vectors.choices)("%f lost, %f again: %i copies", (lost, again, copies) => {
    expect(copiesFor({ lost, again })).toBe(copies);
  });
});

describe("golden measures", () => {
  test.each(vectors.meter)("$name", ({ steps }) => {
    const meter = new LossMeter();
    for (const [seq, at, upto, lost, runs, due] of steps) {
      meter.note(seq, at);
      expect([meter.upto, meter.lost, meter.runs]).toEqual([upto, lost, runs]);
      expect(meter.due(at)).toBe(due);
    }
  });

  test.each(vectors.estimate)("$name", ({ steps }) => {
    const estimate = new LossEstimate();
    for (const step of steps) {
      if (step[0] === "report") {
        const [, upto, lost, runs, at, taken] = step;
        expect(estimate.report(upto, lost, runs, at)).toBe(taken);
      } else {
        const { lost, again } = estimate.loss(step[1]);
        expect(lost).toBeCloseTo(step[2], 9);
        expect(again).toBeCloseTo(step[3], 9);
      }
    }
  });
});

describe("the budget", () => {
  test("gives what it has, and grows again", () => {
    const budget = new Budget();
    expect(budget.take(BUDGET_BURST / 2, 3, 0)).toBe(2);
    expect(budget.take(1000, 1, 0)).toBe(0);
    expect(budget.take(1000 * BUDGET_RATE, 3, 1000)).toBe(1);
    expect(budget.take(BUDGET_BURST, 2, 1e9)).toBe(1);
  });
});
