import { describe, expect, it } from "vitest";
import { fill, LANGUAGES, speak } from "../../src/ui/i18n/index.ts";

const places = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();

describe.each(Object.entries(LANGUAGES))("language %s", (_, words) => {
  it("says everything that English says, with the same places", () => {
    expect(Object.keys(words).sort()).toEqual(Object.keys(LANGUAGES.en).sort());
    for (const [key, text] of Object.entries(words)) {
      expect(text.trim(), key).not.toBe("");
      expect(places(text), key).toEqual(places(LANGUAGES.en[key as keyof typeof words]));
    }
  });
});

describe("the choice of a language", () => {
  it("takes the first wish that it can fulfil", () => {
    expect(speak(["tlh", null, "pt-BR", "en"]).language).toBe("pt");
    expect(speak([undefined, "", "xx"]).language).toBe("en");
    expect(speak(["constructor"]).language).toBe("en");
  });

  it("keeps the region for dates and forgives broken tags", () => {
    expect(speak(["de_AT"]).locale).toBe("de-AT");
    expect(speak(["de-!"]).locale).toBe("de");
  });

  it("knows who writes from right to left", () => {
    expect(speak(["ar-EG"]).direction).toBe("rtl");
    expect(speak(["zh-Hans"]).direction).toBe("ltr");
  });
});

describe("fill", () => {
  it("fills places and leaves unknown ones", () => {
    expect(fill("{n} of {m}", { n: 3 })).toBe("3 of {m}");
  });
});
