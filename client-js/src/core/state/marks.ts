/**
 * Marks on their way to the server, at most one per conversation and GAP: how far this device has
 * received, how far its person has read. A mark only grows; what a lost session may have swallowed is
 * sent again on the next one.
 *
 * May import: nothing.
 */

export const GAP = 1_000;

interface Mark {
  /** How far it has come. */
  seq: number;
  /** What this session was told. */
  told: number;
  timer: ReturnType<typeof setTimeout> | null;
}

export class Marks {
  /** Whether it could be sent. */
  readonly #send: (conversation: string, seq: number) => boolean;
  readonly #marks = new Map<string, Mark>();

  constructor(send: (conversation: string, seq: number) => boolean) {
    this.#send = send;
  }

  of(conversation: string): number {
    return this.#marks.get(conversation)?.seq ?? 0;
  }

  /** Moves the mark; the first move goes out at once, what follows within GAP goes together. */
  move(conversation: string, seq: number): void {
    const mark = this.#marks.get(conversation) ?? { seq: 0, told: 0, timer: null };
    if (seq <= mark.seq) return;
    mark.seq = seq;
    this.#marks.set(conversation, mark);
    if (mark.timer === null) this.#tell(conversation, mark);
  }

  /** Another session: tells again what the last one may have lost. */
  restart(): void {
    for (const [conversation, mark] of this.#marks) {
      mark.told = 0;
      if (mark.timer === null) this.#tell(conversation, mark);
    }
  }

  /** Forgets a mark that the log has brought back, or a conversation that is let go. */
  settle(conversation: string, seq: number): void {
    const mark = this.#marks.get(conversation);
    if (mark === undefined || mark.seq > seq) return;
    if (mark.timer !== null) clearTimeout(mark.timer);
    this.#marks.delete(conversation);
  }

  stop(): void {
    for (const { timer } of this.#marks.values()) if (timer !== null) clearTimeout(timer);
    this.#marks.clear();
  }

  #tell(conversation: string, mark: Mark): void {
    if (mark.told >= mark.seq || !this.#send(conversation, mark.seq)) return;
    mark.told = mark.seq;
    mark.timer = setTimeout(() => {
      mark.timer = null;
      this.#tell(conversation, mark);
    }, GAP);
  }
}
