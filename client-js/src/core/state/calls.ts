/**
 * Questions to the server that wait for their answers. They are all safe to ask twice, so what is
 * unanswered when a session is lost is asked again on the next one.
 *
 * Bound: MAX_CALLS unanswered; over it a call is refused at once.
 * May import: back-off, wire's types.
 */

import { refusalDelay } from "../net/backoff.ts";
import type { Call, Frame, Refused, Result, WireMap } from "../wire/frames.ts";

export const MAX_CALLS = 64;

export class CallRefused extends Error {
  override readonly name = "CallRefused";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Waiting {
  readonly frame: Call;
  readonly resolve: (value: WireMap) => void;
  readonly reject: (error: CallRefused) => void;
  refusals: number;
}

export class Calls {
  readonly #send: (frame: Frame) => void;
  readonly #random: () => number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #id = 0;

  constructor(send: (frame: Frame) => void, random: () => number) {
    this.#send = send;
    this.#random = random;
  }

  call(method: string, params: WireMap): Promise<WireMap> {
    if (this.#waiting.size >= MAX_CALLS) {
      return Promise.reject(new CallRefused("busy", "Too many questions wait for an answer. Try again soon."));
    }
    const frame: Call = { type: "call", id: ++this.#id, method, params };
    return new Promise((resolve, reject) => {
      this.#waiting.set(frame.id, { frame, resolve, reject, refusals: 0 });
      this.#send(frame);
    });
  }

  /** Another session: asks everything again. */
  restart(): void {
    for (const { frame } of this.#waiting.values()) this.#send(frame);
  }

  answered({ id, value }: Result): void {
    this.#waiting.get(id)?.resolve(value);
    this.#waiting.delete(id);
  }

  refused({ call, code, message, retryAfter }: Refused): void {
    const waiting = call === null ? undefined : this.#waiting.get(call);
    if (waiting === undefined) return;
    if (retryAfter === null) {
      this.#waiting.delete(waiting.frame.id);
      waiting.reject(new CallRefused(code, message));
      return;
    }
    waiting.refusals += 1;
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        if (this.#waiting.has(waiting.frame.id)) this.#send(waiting.frame);
      },
      refusalDelay(retryAfter, waiting.refusals, this.#random()),
    );
    this.#timers.add(timer);
  }

  /** Gives up every question. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const { reject } of this.#waiting.values()) reject(new CallRefused("stopped", "The client was stopped."));
    this.#waiting.clear();
  }
}
