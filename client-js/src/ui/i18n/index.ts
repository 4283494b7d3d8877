/** Which languages there are, and which one a page speaks. May import the language files beside it. */
import { ar } from "./ar.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";
import { es } from "./es.ts";
import { fr } from "./fr.ts";
import { ja } from "./ja.ts";
import type { Messages } from "./messages.ts";
import { pt } from "./pt.ts";
import { zh } from "./zh.ts";

export { fill, type Messages } from "./messages.ts";

export const LANGUAGES = { en, zh, es, pt, de, fr, ja, ar } as const satisfies Record<string, Messages>;
export type Language = keyof typeof LANGUAGES;

const RIGHT_TO_LEFT: readonly Language[] = ["ar"];

export interface Speech {
  readonly language: Language;
  /** For Intl: the tag that was asked for, so that dates of de-AT stay Austrian. */
  readonly locale: string;
  readonly words: Messages;
  readonly direction: "ltr" | "rtl";
}

/** The first wish that we can fulfil; English when there is none. Wishes are BCP 47 tags. */
export function speak(wishes: readonly (string | null | undefined)[]): Speech {
  for (const wish of wishes) {
    const language = wish?.trim().toLowerCase().split(/[-_]/)[0] ?? "";
    if (isLanguage(language)) return speech(language, validLocale(wish ?? "") ?? language);
  }
  return speech("en", "en");
}

function speech(language: Language, locale: string): Speech {
  const direction = RIGHT_TO_LEFT.includes(language) ? "rtl" : "ltr";
  return { language, locale, words: LANGUAGES[language], direction };
}

const isLanguage = (text: string): text is Language => Object.hasOwn(LANGUAGES, text);

function validLocale(tag: string): string | null {
  try {
    return Intl.getCanonicalLocales(tag.trim().replaceAll("_", "-"))[0] ?? null;
  } catch {
    return null;
  }
}
