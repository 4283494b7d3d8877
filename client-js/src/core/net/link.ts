/**
 * The link: keeps one session alive for as long as the client runs.
 *
 *     access → race → hello → welcome → live ──drain──▶ the next session first, then this one is closed
 *        ▲                                │
 *        └──── back-off, by close code ◀──┘        (likewise when WebTransport comes late, after WebSocket won)
 *
 * What holds always: at most one session is live, but for PARTING after a move, when the old one still
 * delivers; commands go to the live session, or to the one that is joining when none is live. Whatever
 * fails, the next attempt is at most CAP away, until somebody says stop.
 * Whether the browser says it is online never stops an attempt: it is wrong too often.
 * May import: the rest of net, wire.
 */

import type { LinkState } from "../api.ts";
import { advice, CloseCode } from "../wire/errors.ts";
import type { Frame, Hello, Welcome } from "../wire/frames.ts";
import type { Closed } from "../wire/machine.ts";
import { limited, sleep } from "./abort.ts";
import { backoff } from "./backoff.ts";
import type { Carrier, Connect } from "./carrier.ts";
import { RestError } from "./rest.ts";
import { Session } from "./session.ts";

/** A session that lived this many milliseconds ends the series of failures. */
export const STABLE = 10_000;
/** An overloaded server is left alone as if there had been this many failures. */
const OVERLOADED_FAILURES = 4;
/** Which part of the drain's deadline is used for spreading clients out. */
const DRAIN_SPREAD = 0.7;
/** Milliseconds that a session is still heard after another has taken its place: the answer to what went out just
 * before the move is mostly sooner there than that to its second copy on the next session. */
export const PARTING = 1_000;

/** first: a token may be old. again: the last attempt failed or a session was lost. renew: the token was refused. */
export type Why = "first" | "again" | "renew";

export interface Access {
  readonly token: string;
  readonly connect: Connect;
}

export interface LinkOptions {
  access(why: Why): Promise<Access>;
  hello(token: string): Hello;
  /** Runs the race; a better carrier that comes too late is offered to `late`. */
  carry(connect: Connect, signal: AbortSignal, late: (carrier: Carrier) => void): Promise<Carrier>;
  random(): number;
  online(): boolean;
  readonly events: LinkEvents;
}

export interface LinkEvents {
  /** `state` is another. */
  changed(): void;
  /** Commands go to a new session from now on: send again what was not answered. Perhaps not welcomed yet. */
  joined(): void;
  welcomed(welcome: Welcome): void;
  frame(frame: Frame): void;
  /** There is no session now. */
  lost(): void;
}

/** A session that was welcomed, and what becomes of it. */
interface Line {
  readonly session: Session;
  readonly token: string;
  readonly since: number;
  readonly ended: Promise<Closed>;
  readonly drained: Promise<number>;
}

class Ended extends Error {
  readonly closed: Closed;

  constructor(closed: Closed) {
    super(closed.reason);
    this.closed = closed;
  }
}

export class Link {
  readonly #options: LinkOptions;
  #state: LinkState = { phase: "idle" };
  #running: AbortController | null = null;
  #pause = new AbortController();
  /** Where commands go. */
  #current: Session | null = null;
  #live: Line | null = null;
  /** Said hello, not welcomed yet. */
  #joining: Session | null = null;
  /** Replaced, and still heard. */
  readonly #parting = new Set<Session>();
  /** Connected after it had lost the race: the session moves there. */
  #spare: Carrier | null = null;
  #offered: () => void = () => undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Resolves when the first attempt is over, one way or the other; `state` says which. */
  start(): Promise<void> {
    if (this.#running !== null) return Promise.resolve();
    this.#running = new AbortController();
    const { signal } = this.#running;
    this.#set({ phase: "connecting" });
    return new Promise((tried) => {
      signal.addEventListener("abort", () => tried());
      void this.#run(signal, tried).finally(tried);
    });
  }

  stop(state: LinkState = { phase: "stopped", code: CloseCode.NORMAL, reason: "left on purpose" }): void {
    this.#running?.abort();
    this.#running = null;
    this.#pause.abort();
    for (const session of [this.#joining, this.#live?.session, ...this.#parting])
      session?.close(CloseCode.NORMAL, "left on purpose");
    this.#joining = this.#current = this.#live = null;
    this.#dropSpare();
    this.#set(state);
  }

  /** Whether there is a session to send on. */
  get open(): boolean {
    return this.#current !== null;
  }

  /** Sends a command; false when there is no session to send it on. */
  send(frame: Frame): boolean {
    this.#current?.send(frame);
    return this.#current !== null;
  }

  /** Something happened that makes trying now worth it: a click, the network is back, the page is seen again. */
  wake(): void {
    this.#pause.abort();
    this.#live?.session.probe();
    this.#show();
  }

  /** Shows anew what the browser says about the network. */
  recheck(): void {
    this.#show();
  }

  async #run(signal: AbortSignal, tried: () => void): Promise<void> {
    let why: Why = "first";
    for (let failures = 0; !signal.aborted; ) {
      const closed = await this.#once(why, signal, tried);
      if (signal.aborted) return;
      const lived = this.#live === null ? 0 : performance.now() - this.#live.since;
      this.#current = null;
      this.#live = null;
      this.#dropSpare();
      this.#options.events.lost();
      if (closed === null) return;
      const next = advice(closed.code);
      if (next === "stop") return this.#end({ phase: "stopped", code: closed.code, reason: closed.reason });
      // A token that was refused once is renewed at once; refused again, like any other failure.
      const renewing = next === "reauthenticate" && why !== "renew";
      why = next === "reauthenticate" ? "renew" : "again";
      failures = lived >= STABLE ? 0 : failures;
      if (closed.code === CloseCode.OVERLOADED) failures = Math.max(failures, OVERLOADED_FAILURES);
      await this.#wait(renewing ? 0 : backoff(failures, this.#options.random()), failures + 1, signal, tried);
      failures += 1;
    }
  }

  /** One attempt and, if it succeeds, the whole life that follows. Null: the state says why it is over for good. */
  async #once(why: Why, signal: AbortSignal, tried: () => void): Promise<Closed | null> {
    try {
      let line = await this.#establish(why, signal, true);
      tried();
      for (;;) {
        const next = await this.#next(line, signal);
        if (next === null) return await line.ended;
        line = next;
      }
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** Waits until the line ends (null), or for the line that follows it: after a drain, or on a better carrier. */
  async #next(line: Line, signal: AbortSignal): Promise<Line | null> {
    const what = await Promise.race([line.drained, line.ended.then(() => null), this.#better()]);
    if (what === null) return null;
    // Failing that, this line lives until the server ends it, and the ordinary way back follows.
    if (what === "better") return this.#improve(line).catch(() => null);
    const wait = limited(null, signal);
    void line.ended.then(() => wait.cut());
    await sleep(this.#options.random() * what * DRAIN_SPREAD, wait.signal);
    const over = wait.signal.aborted;
    wait.done();
    return over ? null : this.#establish("again", signal, false).catch(() => null);
  }

  #better(): Promise<"better"> {
    return new Promise((resolve) => {
      this.#offered = () => resolve("better");
      if (this.#spare !== null) this.#offered();
    });
  }

  async #improve({ token }: Line): Promise<Line> {
    const carrier = this.#spare;
    this.#spare = null;
    if (carrier === null) throw new Error("the better carrier is gone");
    return new Promise((resolve, reject) => this.#join(carrier, { token, carrying: false }, resolve, reject));
  }

  #offer(carrier: Carrier, signal: AbortSignal): void {
    this.#dropSpare();
    this.#spare = carrier;
    // Whoever has nothing to move does not need it.
    if (signal.aborted || this.#current === null) this.#dropSpare();
    else this.#offered();
  }

  #dropSpare(): void {
    this.#spare?.close(CloseCode.NORMAL, "not needed");
    this.#spare = null;
  }

  #adopt(line: Line): void {
    const old = this.#live;
    this.#live = line;
    this.#current = line.session;
    this.#show();
    if (old !== null) this.#part(old);
  }

  /** Hears a session out that another has replaced, then closes it. */
  #part({ session, ended }: Line): void {
    const close = () => {
      clearTimeout(timer);
      this.#parting.delete(session);
      session.close(CloseCode.NORMAL, "moved to the next session");
    };
    const timer = setTimeout(close, PARTING);
    this.#parting.add(session);
    void ended.then(close);
  }

  /** `carrying`: commands may go out on the new session before it is welcomed. */
  async #establish(why: Why, signal: AbortSignal, carrying: boolean): Promise<Line> {
    const { token, connect } = await this.#options.access(why);
    const carrier = await this.#options.carry(connect, signal, (late) => this.#offer(late, signal));
    if (signal.aborted) {
      carrier.close(CloseCode.NORMAL, "left on purpose");
      throw new Error("stopped");
    }
    return new Promise((resolve, reject) => this.#join(carrier, { token, carrying }, resolve, reject));
  }

  #join(
    carrier: Carrier,
    { token, carrying }: { token: string; carrying: boolean },
    resolve: (line: Line) => void,
    reject: (error: Error) => void,
  ): void {
    const { events, hello } = this.#options;
    let drain: (deadline: number) => void = () => undefined;
    let end: (closed: Closed) => void = () => undefined;
    const drained = new Promise<number>((done) => {
      drain = done;
    });
    const ended = new Promise<Closed>((done) => {
      end = done;
    });
    const session = new Session(carrier, hello(token), {
      frame: (frame) => {
        if (frame.type === "drain") return drain(frame.deadline);
        if (frame.type !== "welcome") return events.frame(frame);
        // In this order, and at once: what follows `welcome` is delivered to a client that knows it.
        this.#joining = null;
        const line = { session, token, since: performance.now(), ended, drained };
        this.#adopt(line);
        if (!carrying) events.joined();
        events.welcomed(frame);
        resolve(line);
      },
      measured: () => this.#show(),
      ended: (closed) => {
        if (this.#joining === session) this.#joining = null;
        end(closed);
        reject(new Ended(closed));
      },
    });
    this.#joining = session;
    if (!carrying) return;
    this.#current = session;
    events.joined();
  }

  #failed(error: unknown): Closed | null {
    if (error instanceof Ended) return error.closed;
    if (error instanceof RestError && !error.passing) {
      const { status, message } = error;
      this.#end(status === 401 ? { phase: "signed-out", reason: message } : stopped(status, message));
      return null;
    }
    return { code: CloseCode.ABNORMAL, reason: error instanceof Error ? error.message : String(error), remote: false };
  }

  #end(state: LinkState): void {
    this.#running = null;
    this.#set(state);
  }

  async #wait(ms: number, attempt: number, signal: AbortSignal, tried: () => void): Promise<void> {
    this.#pause = new AbortController();
    this.#set({ phase: "reconnecting", retryAt: Date.now() + ms, attempt });
    tried();
    const wait = limited(null, signal, this.#pause.signal);
    await sleep(ms, wait.signal);
    wait.done();
  }

  #set(state: LinkState): void {
    this.#last = state;
    this.#show();
  }

  /** What was set last; `state` is this, seen with the session and the browser's word on the network. */
  #last: LinkState = this.#state;

  #show(): void {
    const next = this.#seen();
    if (JSON.stringify(next) === JSON.stringify(this.#state)) return;
    this.#state = Object.freeze(next);
    this.#options.events.changed();
  }

  #seen(): LinkState {
    if (this.#live !== null) {
      const { session, since } = this.#live;
      const rtt = session.rtt === null ? null : Math.round(session.rtt);
      const began = Math.round(performance.timeOrigin + since);
      return { phase: "live", transport: session.transport, since: began, rtt };
    }
    const trying = this.#last.phase === "connecting" || this.#last.phase === "reconnecting";
    return trying && !this.#options.online() ? { phase: "offline" } : this.#last;
  }
}

function stopped(code: number, reason: string): LinkState {
  return { phase: "stopped", code, reason };
}
