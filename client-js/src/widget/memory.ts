/**
 * What the widget remembers from page to page: the shop's settings, so that the right colours show at once, and whether
 * the chat was open in this tab. A store that is full or forbidden costs these comforts, no more.
 */
import { isRecord } from "./look.ts";

type Settings = Readonly<Record<string, unknown>>;

const OPEN = "tradewind:open";
const lookKey = (server: string, shop: string): string => `tradewind:look:${server}:${shop}`;

export function keepSettings(server: string, shop: string, settings: Settings): void {
  attempt(() => localStorage.setItem(lookKey(server, shop), JSON.stringify(settings)));
}

export function keptSettings(server: string, shop: string): Settings | null {
  const kept = attempt((): unknown => JSON.parse(localStorage.getItem(lookKey(server, shop)) ?? "null"));
  return isRecord(kept) ? kept : null;
}

export function keepOpen(open: boolean): void {
  attempt(() => (open ? sessionStorage.setItem(OPEN, "1") : sessionStorage.removeItem(OPEN)));
}

export const readOpen = (): boolean => attempt(() => sessionStorage.getItem(OPEN)) === "1";

function attempt<T>(use: () => T): T | null {
  try {
    return use();
  } catch {
    return null;
  }
}
