import { describe, expect, it } from "vitest";
import { AA, contrast } from "../../src/ui/color.ts";
import { speak } from "../../src/ui/i18n/index.ts";
import { accents, toLook } from "../../src/widget/look.ts";

const en = speak(["en"]);

describe("a shop's look", () => {
  it("has a default for everything", () => {
    const plain = { color: "#0b6e69", theme: "auto", side: "end", greeting: null, label: null };
    expect(toLook({}, en)).toEqual(plain);
    expect(toLook({ color: "red;}", theme: 7, greeting: ["x"], launcher: "x" }, en)).toEqual(plain);
  });

  it("takes what the shop says", () => {
    const settings = {
      color: "#1f4d3d",
      theme: "dark",
      greeting: " Ahoy ",
      launcher: { side: "start", label: "Help" },
    };
    expect(toLook(settings, en)).toEqual({
      color: "#1f4d3d",
      theme: "dark",
      side: "start",
      greeting: "Ahoy",
      label: "Help",
    });
  });

  it("speaks the visitor's language where the shop does", () => {
    const greeting = { en: "Hello", "pt-PT": "Olá" };
    expect(toLook({ greeting }, en).greeting).toBe("Hello");
    expect(toLook({ greeting }, speak(["pt-PT"])).greeting).toBe("Olá");
    expect(toLook({ greeting }, speak(["ja"])).greeting).toBeNull();
  });

  it("bounds what a shop may write", () => {
    expect(toLook({ greeting: "x".repeat(5_000) }, en).greeting).toHaveLength(300);
  });

  it.each(["#1f4d3d", "#ffffff", "#000000", "#ffd84d", "#14171b", "#ff5a5f"])("is readable in %s", (color) => {
    for (const theme of ["light", "dark"] as const) {
      const tokens = accents(color, theme);
      expect(contrast(tokens["--tw-accent"] ?? "", tokens["--tw-on-accent"] ?? "")).toBeGreaterThanOrEqual(AA);
      expect(
        contrast(tokens["--tw-accent-text"] ?? "", theme === "dark" ? "#15181c" : "#ffffff"),
      ).toBeGreaterThanOrEqual(AA);
    }
  });
});
