import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AA, contrast } from "../../src/ui/color.ts";

const read = (name: string): string => readFileSync(new URL(`../../src/ui/${name}`, import.meta.url), "utf8");

/** The custom properties of the first rule with this selector. */
function properties(sheet: string, selector: string): Record<string, string> {
  const start = sheet.indexOf(`${selector} {`);
  const body = sheet.slice(start, sheet.indexOf("}", start));
  return Object.fromEntries(
    [...body.matchAll(/(--[\w-]+):\s*(#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]),
  );
}

const tokens = read("tokens.css");
const light = properties(tokens, ".tw-root");
const themes = { light, dark: { ...light, ...properties(tokens, '.tw-root[data-theme="dark"]') } };

const PAIRS = [
  ["text", "bg"],
  ["text-2", "bg"],
  ["text-3", "bg"],
  ["text-3", "soft"],
  ["text-2", "sunken"],
  ["text", "sunken"],
  ["on-accent", "accent"],
  ["accent-text", "bg"],
  ["accent-text", "accent-soft"],
  ["bad", "bg"],
  ["bad", "bad-soft"],
  ["note-text", "note"],
] as const;

describe.each(Object.entries(themes))("the %s theme", (_, values) => {
  it.each(PAIRS)("makes %s readable on %s", (ink, paper) => {
    const [one, other] = [values[`--tw-${ink}`] ?? "", values[`--tw-${paper}`] ?? ""];
    expect(contrast(one, other), `${one} on ${other}`).toBeGreaterThanOrEqual(AA);
  });
});

describe("avatars", () => {
  const sheet = read("avatar.css");
  it.each(Array.from({ length: 10 }, (_, index) => index))("hue %i is readable", (index) => {
    const hue = properties(sheet, `.tw-hue-${index}`);
    expect(contrast(hue["--face"] ?? "", hue["--ink"] ?? "")).toBeGreaterThanOrEqual(AA);
  });
});
