/**
 * How a shop wants the widget to look, read from its settings: anything unknown or broken falls back. May import the
 * colour helpers.
 */
import { contrast, mix, parseColor, readableOn, textOn } from "../ui/color.ts";
import type { ThemeChoice } from "../ui/hooks.ts";
import type { Speech } from "../ui/i18n/index.ts";

export interface Look {
  readonly color: string;
  readonly theme: ThemeChoice;
  readonly side: "start" | "end";
  readonly greeting: string | null;
  /** Words beside the launcher's icon; null shows the icon alone. */
  readonly label: string | null;
}

const DEFAULT_COLOR = "#0b6e69";
/** The longest greeting and label that are shown. */
const MAX_GREETING = 300;
const MAX_LABEL = 40;
/** A colour closer to the background than this would not be seen as a surface. */
const SEEN = 1.3;

type Settings = Readonly<Record<string, unknown>>;

export function toLook(settings: Settings, speech: Speech): Look {
  const launcher = isRecord(settings.launcher) ? settings.launcher : {};
  const color =
    typeof settings.color === "string" && parseColor(settings.color) !== null ? settings.color.trim() : null;
  return {
    color: color ?? DEFAULT_COLOR,
    theme: settings.theme === "light" || settings.theme === "dark" ? settings.theme : "auto",
    side: launcher.side === "start" ? "start" : "end",
    greeting: inLanguage(settings.greeting, speech, MAX_GREETING),
    label: inLanguage(launcher.label, speech, MAX_LABEL),
  };
}

/** A text for everybody, or one for each language: {"en": "Hello", "de": "Hallo"}. */
function inLanguage(value: unknown, speech: Speech, limit: number): string | null {
  const text = isRecord(value) ? (value[speech.locale] ?? value[speech.language]) : value;
  return typeof text === "string" && text.trim() !== "" ? text.trim().slice(0, limit) : null;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The stylesheet's accent tokens for the shop's colour, readable in either theme. */
export function accents(color: string, theme: "light" | "dark"): Record<string, string> {
  const background = theme === "dark" ? "#15181c" : "#ffffff";
  let surface = color;
  for (let part = 0.1; contrast(surface, background) < SEEN && part < 1; part += 0.1) {
    surface = mix(color, theme === "dark" ? "#ffffff" : "#000000", part);
  }
  return {
    "--tw-accent": surface,
    "--tw-on-accent": textOn(surface),
    "--tw-accent-text": readableOn(color, background),
    "--tw-accent-soft": mix(color, background, 0.88),
  };
}
