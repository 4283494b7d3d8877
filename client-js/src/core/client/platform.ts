/**
 * What the clients need of the browser, in one place, so that tests can stand in for all of it.
 *
 * May import: net's openers, storage.
 */

import type { Connect, Opener } from "../net/carrier.ts";
import { openWebSocket } from "../net/websocket.ts";
import { hasWebTransport, openWebTransport } from "../net/webtransport.ts";
import { BrowserStore, type KeyValue } from "../state/storage.ts";

/** network: it changed or came back. offline: it went. seen: the page is looked at again. removed: another tab dropped a key. */
export type Signal = { what: "network" | "offline" | "seen" } | { what: "removed"; key: string };

export interface Platform {
  /** Survives the tab. */
  readonly local: KeyValue;
  /** Lives as long as the tab. */
  readonly tab: KeyValue;
  readonly fetch: typeof fetch;
  /** Null where the browser has none. */
  webtransport(endpoint: NonNullable<Connect["webtransport"]>): Opener | null;
  websocket(url: string): Opener;
  /** From 0 to 1. */
  random(): number;
  online(): boolean;
  /** The page the visitor is on, without what follows `?` and `#`: that may be private. */
  page(): string;
  listen(listener: (signal: Signal) => void): () => void;
}

export function browserPlatform(): Platform {
  return {
    local: new BrowserStore(() => localStorage),
    tab: new BrowserStore(() => sessionStorage),
    fetch: (input, init) => fetch(input, init),
    webtransport: (endpoint) => (hasWebTransport() ? (signal) => openWebTransport(endpoint, signal) : null),
    websocket: (url) => (signal) => openWebSocket(url, signal),
    random: Math.random,
    online: () => navigator.onLine,
    page: () => location.origin + location.pathname,
    listen,
  };
}

function listen(listener: (signal: Signal) => void): () => void {
  const over = new AbortController();
  const { signal } = over;
  const network = (): void => listener({ what: "network" });
  window.addEventListener("online", network, { signal });
  window.addEventListener("offline", () => listener({ what: "offline" }), { signal });
  window.addEventListener("pageshow", (event) => event.persisted && listener({ what: "seen" }), { signal });
  document.addEventListener("visibilitychange", () => document.hidden || listener({ what: "seen" }), { signal });
  window.addEventListener(
    "storage",
    ({ key, newValue }) => key !== null && newValue === null && listener({ what: "removed", key }),
    { signal },
  );
  // Not in every browser: the phone went from one network to another.
  const { connection } = navigator as { connection?: EventTarget };
  connection?.addEventListener("change", network, { signal });
  return () => over.abort();
}
