import { describe, expect, it } from "vitest";
import { HUES, hue, initials } from "../../src/ui/people.ts";

describe("people", () => {
  it.each([
    ["Mara Lindqvist", "ML"],
    ["mara", "M"],
    ["Ana Sofia de la Cruz", "AC"],
    ["mara.lind@shop.example", "ML"],
    ["陈 伟", "陈"],
    ["محمد علي", "م"],
    ["  ", ""],
    ["👋 Zoë", "Z"],
  ])("%s is %s", (name, expected) => expect(initials(name)).toBe(expected));

  it("gives everybody one of the colours, always the same", () => {
    const hues = Array.from({ length: 200 }, (_, index) => hue(`v:${index}`));
    expect(new Set(hues).size).toBe(HUES);
    expect(hue("v:7")).toBe(hues[7]);
  });
});
