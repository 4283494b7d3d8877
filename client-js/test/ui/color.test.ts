import { describe, expect, it } from "vitest";
import { AA, contrast, mix, parseColor, readableOn, textOn } from "../../src/ui/color.ts";

describe("colour", () => {
  it("reads hexadecimal colours and nothing else", () => {
    expect(parseColor("#fff")).toEqual([255, 255, 255]);
    expect(parseColor(" #1F4d3D ")).toEqual([31, 77, 61]);
    for (const bad of ["", "red", "#12", "#12345g", "url(x)", "#123456;color:red"]) expect(parseColor(bad)).toBeNull();
  });

  it("knows the contrast of black and white", () => {
    expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 5);
    expect(contrast("#777777", "#777777")).toBe(1);
  });

  it.each(["#ffffff", "#000000", "#1f4d3d", "#ffd84d", "#7f7f7f", "#e11d48", "#22c55e", "#38bdf8"])(
    "finds text that can be read on %s",
    (background) => expect(contrast(textOn(background), background)).toBeGreaterThanOrEqual(AA),
  );

  it.each(["#ffd84d", "#1f4d3d", "#ffffff", "#000000", "#5b8def"])(
    "finds a shade of %s for light and dark",
    (color) => {
      for (const background of ["#ffffff", "#14171b"]) {
        expect(contrast(readableOn(color, background), background)).toBeGreaterThanOrEqual(AA);
      }
    },
  );

  it("keeps a colour that can be read already", () => {
    expect(readableOn("#1f4d3d", "#ffffff")).toBe("#1f4d3d");
  });

  it("mixes", () => {
    expect(mix("#000000", "#ffffff", 0.5)).toBe("#808080");
    expect(mix("#102030", "#ffffff", 0)).toBe("#102030");
  });
});
