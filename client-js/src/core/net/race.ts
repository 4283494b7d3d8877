/**
 * The race: WebTransport gets a short head start, then WebSocket starts too, and the first that is
 * connected carries the session. So blocked UDP costs a person the head start and no more, although
 * a WebTransport attempt into it hangs for half a minute.
 *
 * What holds always: one carrier wins; a WebSocket that has lost is given up or closed. WebTransport may
 * try on until the deadline when it has lost: if it connects after all, it is handed to `late`, so that
 * one slow reply does not keep a person on the slower transport; how it ends teaches `verdict`. When
 * both fail nothing is learnt: then it is not UDP that is blocked.
 * Bound: DEADLINE for the whole race.
 * May import: abort, carrier.
 */

import { CloseCode } from "../wire/errors.ts";
import { limited, sleep } from "./abort.ts";
import type { Carrier, Opener } from "./carrier.ts";

/** Milliseconds after which a race without a winner is lost. */
export const DEADLINE = 12_000;

/** What the race tells about the first runner, now or after the race. */
export interface Verdict {
  worked(): void;
  failed(): void;
}

export interface Racers {
  /** Null where there is no WebTransport, in the browser or at the server. */
  readonly first: Opener | null;
  readonly second: Opener;
  readonly headStart: number;
  readonly verdict: Verdict;
  /** Takes over the first runner's carrier when it connected after it had lost. */
  late(carrier: Carrier): void;
}

/** Resolves with the winner; rejects when both fail, at the deadline, or when `signal` aborts. */
export async function race(racers: Racers, signal: AbortSignal): Promise<Carrier> {
  const limit = limited(DEADLINE, signal);
  const secondLimit = limited(null, limit.signal);
  const early = racers.first === null ? Promise.reject(new Error("no WebTransport")) : racers.first(limit.signal);
  const late = startLate(early, racers, secondLimit.signal);
  void Promise.allSettled([early, late]).then(() => {
    limit.done();
    secondLimit.done();
  });
  const winner = await Promise.any([early, late]);
  secondLimit.cut();
  early.then(
    (carrier) => {
      racers.verdict.worked();
      if (carrier !== winner) racers.late(carrier);
    },
    () => racers.first === null || signal.aborted || racers.verdict.failed(),
  );
  late.then(
    (carrier) => carrier === winner || carrier.close(CloseCode.NORMAL, "another transport was faster"),
    () => undefined,
  );
  return winner;
}

/** Starts the second runner after the head start, or as soon as the first has failed. */
async function startLate(early: Promise<Carrier>, racers: Racers, signal: AbortSignal): Promise<Carrier> {
  const wait = limited(null, signal);
  early.catch(() => wait.cut());
  await sleep(racers.headStart, wait.signal);
  wait.done();
  signal.throwIfAborted();
  return racers.second(signal);
}
