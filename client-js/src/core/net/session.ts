/**
 * A session: the state machine of the wire driven over a carrier with the browser's clock and timers.
 *
 * What holds always: `hello` is the first thing that goes out; `ended` is called exactly once, unless
 * this side closed the session with `close`, and nothing is called after it.
 * Bounds: WELCOME_DEADLINE for the first answer, PROBE_DEADLINE for the answer to a probe.
 * May import: carrier, wire.
 */

import type { TransportName } from "../api.ts";
import { CloseCode } from "../wire/errors.ts";
import type { Frame, Hello } from "../wire/frames.ts";
import { type Closed, Machine } from "../wire/machine.ts";
import type { Carrier } from "./carrier.ts";

/** Milliseconds from `hello` to `welcome`. */
export const WELCOME_DEADLINE = 10_000;
/** Milliseconds in which a session must answer that is asked after a sleep or a change of network. */
export const PROBE_DEADLINE = 3_000;
/** Browsers clamp longer timers to nothing. */
const LONGEST_TIMER = 2 ** 31 - 1;

export interface SessionEvents {
  frame(frame: Frame): void;
  /** The round trip was measured anew. */
  measured(): void;
  ended(closed: Closed): void;
}

type Timer = ReturnType<typeof setTimeout>;

export class Session {
  readonly transport: TransportName;
  readonly #carrier: Carrier;
  readonly #machine: Machine;
  readonly #events: SessionEvents;
  #timer: Timer | undefined;
  #watchdog: Timer | undefined;
  #over = false;

  constructor(carrier: Carrier, hello: Hello, events: SessionEvents) {
    this.transport = carrier.name;
    this.#carrier = carrier;
    this.#events = events;
    this.#machine = new Machine("client", performance.now(), { maxDatagram: carrier.maxDatagram });
    carrier.start({
      received: (via, data) => {
        const before = this.#machine.rtt;
        for (const frame of this.#machine.receive(via, data, performance.now())) this.#up(frame);
        if (this.#machine.rtt !== before) this.#events.measured();
        this.#pump();
      },
      ended: (code, reason) => {
        this.#machine.lost(code, reason);
        this.#pump();
      },
    });
    this.#watchdog = setTimeout(() => this.#giveUp("no welcome in time"), WELCOME_DEADLINE);
    this.send(hello);
  }

  get live(): boolean {
    return this.#machine.state === "live" || this.#machine.state === "draining";
  }

  /** Milliseconds of the last ping and pong; null before the first. */
  get rtt(): number | null {
    return this.#machine.rtt;
  }

  /** Sends a command, or drops it when the session is over: whoever must know listens to `ended`. */
  send(frame: Frame): void {
    if (this.#over || this.#machine.closed !== null) return;
    this.#machine.send(frame, performance.now());
    this.#pump();
  }

  /** Asks for a sign of life; without one in PROBE_DEADLINE the session counts as lost. */
  probe(): void {
    if (this.#over || !this.live) return;
    const asked = performance.now();
    this.#machine.ping(asked);
    this.#pump();
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      if (this.#machine.lastReceived < asked) this.#giveUp("no answer in time");
    }, PROBE_DEADLINE);
  }

  /** Ends the session on purpose; `ended` is not called. */
  close(code: number = CloseCode.NORMAL, reason = ""): void {
    if (this.#over) return;
    this.#machine.close(code, reason, performance.now());
    this.#finish();
  }

  #up(frame: Frame): void {
    if (this.#over) return;
    if (frame.type === "welcome") {
      clearTimeout(this.#watchdog);
      // The first ping measures the round trip; heartbeats keep it fresh.
      this.#machine.ping(performance.now());
    }
    this.#events.frame(frame);
  }

  #giveUp(reason: string): void {
    this.#machine.close(CloseCode.HEARTBEAT_TIMEOUT, reason, performance.now());
    this.#pump();
  }

  /** Lets out what is due, and sets the one timer for what is due next. */
  #pump(): void {
    if (this.#over) return;
    const now = performance.now();
    for (const packet of this.#machine.poll(now)) this.#carrier.send(packet);
    const closed = this.#machine.closed;
    if (closed !== null) {
      this.#finish();
      this.#events.ended(closed);
      return;
    }
    clearTimeout(this.#timer);
    const next = this.#machine.nextTimer();
    if (next !== null) this.#timer = setTimeout(() => this.#pump(), Math.min(Math.max(next - now, 0), LONGEST_TIMER));
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    for (const packet of this.#machine.poll(performance.now())) this.#carrier.send(packet);
    const { code, reason } = this.#machine.closed ?? { code: CloseCode.NORMAL, reason: "" };
    this.#carrier.close(code, reason);
  }
}
