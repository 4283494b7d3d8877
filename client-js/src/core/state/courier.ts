/**
 * The courier: which entries of the outbox go out when, so that order is kept and the server's rate is.
 * Sans-IO: the time comes in, entries come out.
 *
 * What holds always: an entry is out at most once per session; entries go out in the order of the
 * outbox; after a refusal with a time nothing goes out until that time.
 * Bounds: IN_FLIGHT unanswered entries; BURST entries at once and one per INTERVAL, a little under what
 * the server allows a session, so that refusals, which cost order, are rare.
 * May import: outbox, back-off.
 */

import { refusalDelay } from "../net/backoff.ts";
import type { Outbox, OutboxEntry } from "./outbox.ts";

export const IN_FLIGHT = 10;
export const BURST = 15;
/** Milliseconds for one more entry. */
export const INTERVAL = 250;

export class Courier {
  readonly #outbox: Outbox;
  readonly #random: () => number;
  readonly #out = new Set<string>();
  /** Answered by this session as queued: they wait for the log, and nobody waits for them. */
  readonly #queued = new Set<string>();
  readonly #refusals = new Map<string, number>();
  #tokens = BURST;
  #counted = 0;
  #notBefore = 0;

  constructor(outbox: Outbox, random: () => number) {
    this.#outbox = outbox;
    this.#random = random;
  }

  /** Another session: everything unanswered goes out again. */
  restart(): void {
    this.#out.clear();
    this.#queued.clear();
  }

  /** The entries to send now. */
  take(now: number): OutboxEntry[] {
    this.#refill(now);
    if (now < this.#notBefore) return [];
    const taken: OutboxEntry[] = [];
    for (const entry of this.#waiting()) {
      if (this.#out.size >= IN_FLIGHT || this.#tokens < 1) break;
      this.#tokens -= 1;
      this.#out.add(entry.clientId);
      taken.push(entry);
    }
    return taken;
  }

  /** When `take` should be called next without an answer having come; null: not for now. */
  nextTimer(now: number): number | null {
    if (this.#out.size >= IN_FLIGHT || this.#waiting().length === 0) return null;
    const refilled = this.#tokens >= 1 ? now : this.#counted + INTERVAL * (1 - this.#tokens);
    return Math.max(refilled, this.#notBefore);
  }

  /** An entry was answered for good. */
  settled(clientId: string): void {
    this.#out.delete(clientId);
    this.#queued.delete(clientId);
    this.#refusals.delete(clientId);
  }

  /** An entry is on disk here; what becomes of it the log will tell. */
  queued(clientId: string): void {
    if (this.#out.delete(clientId)) this.#queued.add(clientId);
  }

  /** An entry was refused for now. */
  postponed(clientId: string, retryAfter: number, now: number): void {
    this.#out.delete(clientId);
    this.#queued.delete(clientId);
    const refusals = (this.#refusals.get(clientId) ?? 0) + 1;
    this.#refusals.set(clientId, refusals);
    this.#notBefore = Math.max(this.#notBefore, now + refusalDelay(retryAfter, refusals, this.#random()));
  }

  #waiting(): readonly OutboxEntry[] {
    return this.#outbox.entries.filter(
      ({ clientId, failure, accepted }) =>
        failure === null && accepted === null && !this.#out.has(clientId) && !this.#queued.has(clientId),
    );
  }

  #refill(now: number): void {
    this.#tokens = Math.min(BURST, this.#tokens + Math.max(0, now - this.#counted) / INTERVAL);
    this.#counted = now;
  }
}
