import { describe, expect, it } from "vitest";
import { HUES, hue, initials, visitorName } from "../../src/ui/people.ts";

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

  it("call visitors by what is known of them", () => {
    expect(visitorName({ id: "v:1", name: "Inês", email: "ines@mail.example" })).toBe("Inês");
    expect(visitorName({ id: "v:1", name: " ", email: "ines@mail.example" })).toBe("ines@mail.example");
    const handles = Array.from({ length: 100 }, (_, index) => visitorName({ id: `v:${index}`, name: "" }));
    for (const handle of handles) expect(handle).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
    expect(new Set(handles).size).toBeGreaterThan(85);
    expect(visitorName({ id: "v:7", name: "", email: "" })).toBe(handles[7]);
  });
});
