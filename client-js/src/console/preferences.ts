/** What an agent sets for this browser: theme, sound, notifications. Kept in localStorage, read with care. */
import { useState } from "preact/hooks";
import type { ThemeChoice } from "../ui/hooks.ts";

export interface Preferences {
  readonly theme: ThemeChoice;
  readonly sound: boolean;
  readonly notifications: boolean;
}

export type Prefer = (change: Partial<Preferences>) => void;

const KEY = "tradewind:console";
const DEFAULTS: Preferences = { theme: "auto", sound: true, notifications: false };

export function readPreferences(text: string | null): Preferences {
  const kept = parse(text);
  const { theme, sound, notifications } = kept;
  return {
    theme: theme === "light" || theme === "dark" ? theme : DEFAULTS.theme,
    sound: typeof sound === "boolean" ? sound : DEFAULTS.sound,
    notifications: typeof notifications === "boolean" ? notifications : DEFAULTS.notifications,
  };
}

function parse(text: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

export function usePreferences(): [Preferences, Prefer] {
  const [preferences, set] = useState(() => readPreferences(localStorage.getItem(KEY)));
  const prefer = (change: Partial<Preferences>): void => {
    const next = { ...preferences, ...change };
    set(next);
    localStorage.setItem(KEY, JSON.stringify(next));
  };
  return [preferences, prefer];
}
