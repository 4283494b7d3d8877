import { describe, expect, it } from "vitest";
import { linkify } from "../../src/ui/linkify.ts";

const links = (text: string): string[] => linkify(text).flatMap((piece) => (piece.type === "link" ? [piece.href] : []));
const joined = (text: string): string =>
  linkify(text)
    .map((piece) => piece.text)
    .join("");

describe("linkify", () => {
  it("leaves plain text alone", () => {
    expect(linkify("just words, 3.50 each")).toEqual([{ type: "text", text: "just words, 3.50 each" }]);
    expect(linkify("")).toEqual([]);
  });

  it("finds addresses and keeps every character", () => {
    const text = "See https://shop.example/a?b=1#c, www.shop.example or mail help@shop.example.";
    expect(links(text)).toEqual([
      "https://shop.example/a?b=1#c",
      "https://www.shop.example/",
      "mailto:help@shop.example",
    ]);
    expect(joined(text)).toBe(text);
  });

  it.each([
    ["(https://shop.example/x)", "https://shop.example/x"],
    ["https://wiki.example/Kettle_(steel)", "https://wiki.example/Kettle_(steel)"],
    ["https://shop.example/x).", "https://shop.example/x"],
    ["看 https://shop.example/杯子。", "https://shop.example/%E6%9D%AF%E5%AD%90"],
  ])("knows where %s ends", (text, href) => {
    expect(links(text)).toEqual([href]);
    expect(joined(text)).toBe(text);
  });

  it.each([
    "javascript:alert(1)",
    "JaVaScRiPt://x%0aalert(1)",
    "data:text/html,x",
    "https://bank.example@evil.example/",
    "http://",
  ])("makes no http link of %s", (text) => {
    expect(links(text).filter((href) => !href.startsWith("mailto:"))).toEqual([]);
    expect(joined(text)).toBe(text);
  });

  it("never lets quotes or brackets into a link", () => {
    expect(links('https://a.example/"onmouseover="x" <b>')).toEqual(["https://a.example/"]);
  });
});
