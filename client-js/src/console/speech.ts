/** The console speaks English; times follow the agent's own browser. */

import { en } from "../ui/i18n/en.ts";
import type { Speech } from "../ui/i18n/index.ts";

export const LOCALE = navigator.languages.find((tag) => tag.startsWith("en")) ?? "en";
export const SPEECH: Speech = { language: "en", locale: LOCALE, words: en, direction: "ltr" };
