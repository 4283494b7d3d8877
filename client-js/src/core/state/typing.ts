/**
 * Who is typing. Outwards: "on" at most every REPEAT while keys are struck, "off" after IDLE. Inwards: a
 * person is typing until they stop, their message comes, or EXPIRY passes (frames may be lost).
 *
 * May import: nothing.
 */

export const REPEAT = 3_000;
export const IDLE = 5_000;
export const EXPIRY = 8_000;

type Timer = ReturnType<typeof setTimeout>;

/** My own keys. */
export class TypingOut {
  readonly #send: (conversation: string, on: boolean) => void;
  #conversation: string | null = null;
  #told = 0;
  #idle: Timer | undefined;

  constructor(send: (conversation: string, on: boolean) => void) {
    this.#send = send;
  }

  struck(conversation: string, now: number): void {
    if (this.#conversation !== conversation) this.stop();
    if (this.#conversation === null || now - this.#told >= REPEAT) {
      this.#conversation = conversation;
      this.#told = now;
      this.#send(conversation, true);
    }
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stop(), IDLE);
  }

  stop(): void {
    clearTimeout(this.#idle);
    const conversation = this.#conversation;
    this.#conversation = null;
    if (conversation !== null) this.#send(conversation, false);
  }
}

const NOBODY: readonly string[] = Object.freeze([]);

/** The others' keys. */
export class TypingIn {
  readonly #changed: (conversation: string) => void;
  readonly #timers = new Map<string, Map<string, Timer>>();
  readonly #people = new Map<string, readonly string[]>();

  constructor(changed: (conversation: string) => void) {
    this.#changed = changed;
  }

  of(conversation: string): readonly string[] {
    return this.#people.get(conversation) ?? NOBODY;
  }

  set(conversation: string, who: string, on: boolean): void {
    const timers = this.#timers.get(conversation) ?? new Map<string, Timer>();
    const was = timers.has(who);
    clearTimeout(timers.get(who));
    timers.delete(who);
    if (on)
      timers.set(
        who,
        setTimeout(() => this.set(conversation, who, false), EXPIRY),
      );
    if (timers.size > 0) this.#timers.set(conversation, timers);
    else this.#timers.delete(conversation);
    if (was !== on) this.#note(conversation, [...timers.keys()]);
  }

  clear(): void {
    for (const [conversation, timers] of [...this.#timers]) {
      for (const who of [...timers.keys()]) this.set(conversation, who, false);
    }
  }

  #note(conversation: string, people: readonly string[]): void {
    if (people.length > 0) this.#people.set(conversation, Object.freeze(people));
    else this.#people.delete(conversation);
    this.#changed(conversation);
  }
}
