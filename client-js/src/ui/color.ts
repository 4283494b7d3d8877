/**
 * Colour arithmetic for themes that a shop chooses: contrast by WCAG 2.1, a text colour that can be read, a shade that
 * can be read on a background. Knows hexadecimal colours only; anything else is refused with null. Imports nothing.
 */

/** Contrast that WCAG AA demands of normal text. */
export const AA = 4.5;

type Rgb = readonly [number, number, number];

export function parseColor(text: string): Rgb | null {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text.trim());
  const long = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text.trim());
  const parts = long?.slice(1) ?? short?.slice(1).map((digit) => digit + digit);
  if (parts === undefined) return null;
  const [red = 0, green = 0, blue = 0] = parts.map((part) => Number.parseInt(part, 16));
  return [red, green, blue];
}

export function contrast(one: string, other: string): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** White or near-black, whichever is easier to read on the colour. */
export function textOn(background: string): string {
  return contrast(background, WHITE) >= Math.min(AA, contrast(background, INK)) ? WHITE : INK;
}

/** The colour itself where it can be read on the background, else the nearest shade of it that can. */
export function readableOn(color: string, background: string): string {
  const target = luminance(background) > 0.4 ? INK : WHITE;
  for (let part = 0; part <= 1; part += 0.05) {
    const shade = mix(color, target, part);
    if (contrast(shade, background) >= AA) return shade;
  }
  return target;
}

const WHITE = "#ffffff";
const INK = "#10151a";

/** `part` 0 is all `from`, 1 is all `to`. */
export function mix(from: string, to: string, part: number): string {
  const [a, b] = [parseColor(from) ?? BLACK, parseColor(to) ?? BLACK];
  const channel = (index: 0 | 1 | 2): string =>
    Math.round(a[index] + (b[index] - a[index]) * part)
      .toString(16)
      .padStart(2, "0");
  return `#${channel(0)}${channel(1)}${channel(2)}`;
}

const BLACK: Rgb = [0, 0, 0];

function luminance(color: string): number {
  const [red, green, blue] = (parseColor(color) ?? BLACK).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
