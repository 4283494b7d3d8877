/**
 * Dispatch: commands that must not be lost, from the moment a person gives them to the moment the
 * server has them on disk or refuses them. It owns the outbox, its courier and the timer that lets the
 * next ones go.
 *
 * What holds always: a command is in the outbox before anything of it is sent; the ids of commands sort
 * in the order in which they were given.
 * May import: state, wire's types.
 */

import { Courier } from "../state/courier.ts";
import { type Failure, Outbox, type OutboxEntry } from "../state/outbox.ts";
import type { KeyValue } from "../state/storage.ts";
import type { Accepted, Queued, Refused, Send } from "../wire/frames.ts";
import { uuid7 } from "../wire/uuid.ts";

/** Characters of one text (docs/protocol.md, section 11). */
export const MAX_TEXT = 8_000;
/** Milliseconds between two looks at what may go. */
const SOONEST = 10;

const TOO_LARGE: Failure = {
  code: "too_large",
  message: `A message holds at most ${MAX_TEXT} characters. Make it shorter, or send it in parts.`,
};

/** A command that is no text, refused for good: it just did not happen, and here is why. */
export interface Dropped extends Failure {
  readonly conversation: string;
}

export interface DispatchLink {
  readonly open: boolean;
  send(frame: Send): void;
}

export class Dispatch {
  readonly #store: KeyValue;
  readonly #random: () => number;
  readonly #link: DispatchLink;
  /** What a conversation shows has changed. */
  readonly #touched: (conversation: string) => void;
  #outbox: Outbox;
  #courier: Courier;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;
  #dropped: Dropped | null = null;

  constructor(store: KeyValue, scope: string, random: () => number, link: DispatchLink, touched: (id: string) => void) {
    this.#store = store;
    this.#random = random;
    this.#link = link;
    this.#touched = touched;
    this.#outbox = new Outbox(store, scope);
    this.#courier = new Courier(this.#outbox, random);
  }

  /** Another person uses this client: their own outbox. */
  setScope(scope: string): void {
    this.#outbox = new Outbox(this.#store, scope);
    this.#dropped = null;
    this.#courier = new Courier(this.#outbox, this.#random);
  }

  /** Forgets what waits and what failed: it is not the next person's. */
  clear(): void {
    this.#outbox.clear();
    this.#dropped = null;
    this.#courier = new Courier(this.#outbox, this.#random);
  }

  /** The last one, until the person gives another command there or has read it. */
  get dropped(): Dropped | null {
    return this.#dropped;
  }

  dismiss(): void {
    this.#dropped = null;
  }

  of(conversation: string): readonly OutboxEntry[] {
    return this.#outbox.of(conversation);
  }

  /** A new UUIDv7, later than every one before it. */
  newId(): string {
    this.#lastId = Math.max(Date.now(), this.#lastId + 1);
    return uuid7(this.#lastId);
  }

  enqueue(conversation: string, kind: string, body: OutboxEntry["body"]): string {
    if (this.#dropped?.conversation === conversation) this.#dropped = null;
    const clientId = this.newId();
    const long = [...String(body.text ?? body.comment ?? "")].length > MAX_TEXT;
    const entry = this.#outbox.add({ clientId, conversation, kind, body, at: Date.now() }, long ? TOO_LARGE : null);
    if (entry.failure !== null) this.#giveUp(entry, entry.failure);
    this.#touched(conversation);
    this.flush();
    return clientId;
  }

  /** Gives a failed command again, under a new id. */
  retry(clientId: string): void {
    const entry = this.#outbox.get(clientId);
    if (entry === undefined) return;
    this.#outbox.remove(clientId);
    this.enqueue(entry.conversation, entry.kind, entry.body);
  }

  discard(clientId: string): void {
    this.#drop(clientId);
  }

  /** Another session: everything unanswered goes out again. */
  restart(): void {
    this.#courier.restart();
    this.flush();
  }

  /** It is on disk; `last` is how far the log is held here, null when it is not. */
  accepted({ clientId, conversation, seq }: Accepted, last: number | null): void {
    this.#courier.settled(clientId);
    this.#outbox.accept(clientId, seq);
    this.#outbox.prune(conversation, last ?? seq);
    this.#touched(conversation);
    this.flush();
  }

  /** It is on disk in this region, and on its way to the one that orders the conversation. */
  queued({ clientId, conversation }: Queued): void {
    this.#courier.queued(clientId);
    this.#outbox.queue(clientId);
    this.#touched(conversation);
    this.flush();
  }

  refused(frame: Refused): void {
    const entry = frame.clientId === null ? undefined : this.#outbox.get(frame.clientId);
    if (entry === undefined) return;
    if (frame.retryAfter !== null) this.#courier.postponed(entry.clientId, frame.retryAfter, Date.now());
    else this.#giveUp(entry, { code: frame.code, message: frame.message });
    this.#touched(entry.conversation);
    this.flush();
  }

  /** The log has brought it. */
  delivered(clientId: string): void {
    this.#drop(clientId);
    this.flush();
  }

  prune(conversation: string, last: number): void {
    this.#outbox.prune(conversation, last);
  }

  /** Another tab brought an entry to the server. */
  removedElsewhere(key: string): void {
    const entry = this.#outbox.removedElsewhere(key);
    if (entry === null) return;
    this.#courier.settled(entry.clientId);
    this.#touched(entry.conversation);
  }

  /** Sends what may go now, and comes back when more may. */
  flush(): void {
    clearTimeout(this.#timer);
    if (!this.#link.open) return;
    const now = Date.now();
    for (const { clientId, conversation, kind, body } of this.#courier.take(now)) {
      this.#link.send({ type: "send", clientId, conversation, kind, body });
    }
    const next = this.#courier.nextTimer(now);
    if (next !== null) this.#timer = setTimeout(() => this.flush(), Math.max(next - now, SOONEST));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #drop(clientId: string): void {
    const entry = this.#outbox.get(clientId);
    this.#courier.settled(clientId);
    if (entry !== undefined && this.#outbox.remove(clientId)) this.#touched(entry.conversation);
  }

  /** A person sees and decides what becomes of a text; anything else just did not happen. */
  #giveUp({ clientId, kind, conversation }: OutboxEntry, failure: Failure): void {
    this.#courier.settled(clientId);
    if (kind === "message" || kind === "note") this.#outbox.fail(clientId, failure);
    else {
      this.#outbox.remove(clientId);
      this.#dropped = { ...failure, conversation };
    }
  }
}
