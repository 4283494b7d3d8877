/**
 * A session: the state machine of the wire driven over a carrier with the browser's clock and timers.
 *
 * What holds always: `hello` is the first thing that goes out; `ended` is called exactly once, unless
 * this side closed the session with `close`, and nothing is called after it.
 * Bounds: WELCOME_DEADLINE for the first answer, ANSWER_DEADLINE for a sign of life after a command or a
 * probe. While people talk (LIVELY) a silence of QUIET is probed, so that a network that swallows
 * everything is found out in seconds; else the heartbeat of the protocol does, at less cost.
 * May import: carrier, wire.
 */

import type { TransportName } from "../api.ts";
import { CloseCode } from "../wire/errors.ts";
import type { Frame, FrameType, Hello } from "../wire/frames.ts";
import { type Closed, Machine } from "../wire/machine.ts";
import type { Carrier } from "./carrier.ts";

/** Milliseconds from `hello` to `welcome`. */
export const WELCOME_DEADLINE = 10_000;
/** Milliseconds in which something must be heard after a command, or after a probe. */
export const ANSWER_DEADLINE = 4_000;
/** Milliseconds of silence after which a lively session is probed. */
export const QUIET = 6_000;
/** Milliseconds for which a session counts as lively after something was said. */
export const LIVELY = 120_000;
/** Browsers clamp longer timers to nothing. */
const LONGEST_TIMER = 2 ** 31 - 1;

export interface SessionEvents {
  frame(frame: Frame): void;
  /** The round trip was measured anew. */
  measured(): void;
  ended(closed: Closed): void;
}

type Timer = ReturnType<typeof setTimeout>;

/** Frames that show that people talk. */
const TALK: ReadonlySet<FrameType> = new Set(["send", "deliver", "typing"]);
/** Commands that the server answers. */
const ANSWERED: ReadonlySet<FrameType> = new Set(["send", "call"]);

export class Session {
  readonly transport: TransportName;
  readonly #carrier: Carrier;
  readonly #machine: Machine;
  readonly #events: SessionEvents;
  #timer: Timer | undefined;
  #watchdog: Timer | undefined;
  /** Since when an answer is awaited; null while none is. */
  #asked: number | null = null;
  #talked = Number.NEGATIVE_INFINITY;
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
    if (TALK.has(frame.type)) this.#talked = performance.now();
    if (ANSWERED.has(frame.type)) this.#await();
    this.#pump();
  }

  /** Asks for a sign of life; without one in ANSWER_DEADLINE the session counts as lost. */
  probe(): void {
    if (this.#over || !this.live) return;
    this.#machine.ping(performance.now());
    this.#await();
    this.#pump();
  }

  /** Ends the session on purpose; `ended` is not called. */
  close(code: number = CloseCode.NORMAL, reason = ""): void {
    if (this.#over) return;
    this.#machine.close(code, reason, performance.now());
    this.#finish();
  }

  #up(frame: Frame): void {
    if (this.#over) return;
    if (TALK.has(frame.type)) this.#talked = performance.now();
    if (frame.type === "welcome") {
      clearTimeout(this.#watchdog);
      // The first ping measures the round trip; heartbeats keep it fresh.
      this.#machine.ping(performance.now());
    }
    this.#events.frame(frame);
  }

  /** Anything that is heard from now on is answer enough. Until the welcome its own deadline holds. */
  #await(): void {
    if (!this.live || this.#asked !== null) return;
    const asked = performance.now();
    this.#asked = asked;
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      this.#asked = null;
      if (this.#machine.lastReceived < asked) this.#giveUp("no answer in time");
      else this.#pump();
    }, ANSWER_DEADLINE);
  }

  /** When a silence must be probed; null while nobody talks. */
  #probeAt(now: number): number | null {
    const lively = this.live && this.#asked === null && now - this.#talked < LIVELY;
    return lively ? this.#machine.lastReceived + QUIET : null;
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
    this.#arm(now);
  }

  #arm(now: number): void {
    clearTimeout(this.#timer);
    const machine = this.#machine.nextTimer() ?? Number.POSITIVE_INFINITY;
    const probe = this.#probeAt(now) ?? Number.POSITIVE_INFINITY;
    const wait = Math.min(Math.max(Math.min(machine, probe) - now, 0), LONGEST_TIMER);
    this.#timer = setTimeout(() => (probe < machine ? this.#probeIfQuiet(probe) : this.#pump()), wait);
  }

  /** Not if something was heard meanwhile. */
  #probeIfQuiet(at: number): void {
    if (performance.now() >= at && this.#machine.lastReceived + QUIET <= at) this.probe();
    else this.#pump();
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
