/**
 * Who is there, by person. The server repeats it while they are; what is not repeated for EXPIRY is
 * forgotten, and a person who is not known is offline.
 *
 * May import: nothing.
 */

import type { PersonId, Presence } from "../api.ts";

export const EXPIRY = 50_000;

export const OFFLINE: Presence = Object.freeze({ state: "offline", transport: null });

const STATES: ReadonlySet<string> = new Set(["online", "away"]);

/** A presence as the server tells it; offline when it makes no sense. */
export function presenceFrom(state: unknown, detail: unknown): Presence {
  if (typeof state !== "string" || !STATES.has(state)) return OFFLINE;
  const transport = (detail as { transport?: unknown } | null | undefined)?.transport;
  return Object.freeze({
    state: state as Presence["state"],
    transport: typeof transport === "string" ? transport : null,
  });
}

export class PresenceBook {
  readonly #changed: (who: PersonId) => void;
  readonly #book = new Map<PersonId, { presence: Presence; timer: ReturnType<typeof setTimeout> }>();

  constructor(changed: (who: PersonId) => void) {
    this.#changed = changed;
  }

  of(who: PersonId): Presence {
    return this.#book.get(who)?.presence ?? OFFLINE;
  }

  set(who: PersonId, presence: Presence): void {
    const before = this.of(who);
    clearTimeout(this.#book.get(who)?.timer);
    if (presence.state === "offline") this.#book.delete(who);
    else this.#book.set(who, { presence, timer: setTimeout(() => this.set(who, OFFLINE), EXPIRY) });
    if (before.state !== presence.state || before.transport !== presence.transport) this.#changed(who);
  }

  /** These are there, and nobody else is. */
  replace(people: ReadonlyMap<PersonId, Presence>): void {
    for (const who of [...this.#book.keys()]) if (!people.has(who)) this.set(who, OFFLINE);
    for (const [who, presence] of people) this.set(who, presence);
  }

  clear(): void {
    for (const who of [...this.#book.keys()]) this.set(who, OFFLINE);
  }
}
