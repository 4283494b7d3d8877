/**
 * Times for people, in their language, by Intl. The time now is an argument everywhere. Formatters are costly to make
 * and few, so they are kept: at most one for each language and style. Imports nothing.
 */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const STYLES = {
  clock: { hour: "numeric", minute: "2-digit" },
  weekday: { weekday: "short" },
  longWeekday: { weekday: "long" },
  date: { day: "numeric", month: "short" },
  longDate: { weekday: "long", day: "numeric", month: "long" },
  fullDate: { day: "numeric", month: "short", year: "numeric" },
  full: { dateStyle: "medium", timeStyle: "short" },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

const formatters = new Map<string, Intl.DateTimeFormat>();

function format(at: number, language: string, style: keyof typeof STYLES): string {
  const key = `${language} ${style}`;
  const known = formatters.get(key) ?? new Intl.DateTimeFormat(language, STYLES[style]);
  formatters.set(key, known);
  return known.format(at);
}

/** 14:05 */
export const clock = (at: number, language: string): string => format(at, language, "clock");

/** 23 Nov 2026, 14:05 */
export const fullTime = (at: number, language: string): string => format(at, language, "full");

/** Today, Yesterday, Tuesday, Tuesday 3 March, 3 Mar 2024: for separators between days. */
export function dayLabel(at: number, now: number, language: string): string {
  const days = daysBetween(at, now);
  if (days === 0 || days === 1) return capital(relativeDays(-days, language), language);
  if (days > 1 && days < 7) return capital(format(at, language, "longWeekday"), language);
  return format(at, language, sameYear(at, now) ? "longDate" : "fullDate");
}

/** now, 5m, 14:05, Tue, 3 Mar, 3 Mar 2024: short, for rows of a list. */
export function shortTime(at: number, now: number, language: string): string {
  const age = now - at;
  if (age < MINUTE) return relativeSeconds(language);
  if (age < HOUR) return unit(Math.floor(age / MINUTE), "minute", language);
  if (daysBetween(at, now) === 0) return format(at, language, "clock");
  if (daysBetween(at, now) < 7) return format(at, language, "weekday");
  return format(at, language, sameYear(at, now) ? "date" : "fullDate");
}

export function sameDay(one: number, other: number): boolean {
  return new Date(one).toDateString() === new Date(other).toDateString();
}

/** Calendar days, not spans of 24 hours; a clock that runs ahead counts as today. */
function daysBetween(at: number, now: number): number {
  const midnight = (time: number): number => new Date(time).setHours(0, 0, 0, 0);
  return Math.max(0, Math.round((midnight(now) - midnight(at)) / DAY));
}

const sameYear = (one: number, other: number): boolean => new Date(one).getFullYear() === new Date(other).getFullYear();

const relativeDays = (days: number, language: string): string =>
  new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(days, "day");

const relativeSeconds = (language: string): string =>
  new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(0, "second");

const unit = (count: number, name: string, language: string): string =>
  new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "narrow" }).format(count);

const capital = (text: string, language: string): string => text.charAt(0).toLocaleUpperCase(language) + text.slice(1);
