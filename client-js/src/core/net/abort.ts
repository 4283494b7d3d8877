/**
 * Abort signals with a time limit and several parents, for browsers that lack AbortSignal.any.
 *
 * May import: nothing.
 */

export interface Limit {
  readonly signal: AbortSignal;
  /** Aborts now. */
  cut(): void;
  /** Call when the work is over: drops the timer and lets go of the parents. */
  done(): void;
}

/** A signal that aborts with the first of `parents`, or after `ms` (null: never by itself). */
export function limited(ms: number | null, ...parents: readonly AbortSignal[]): Limit {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = ms === null ? undefined : setTimeout(abort, ms);
  for (const parent of parents) {
    if (parent.aborted) abort();
    parent.addEventListener("abort", abort);
  }
  return {
    signal: controller.signal,
    cut: abort,
    done() {
      clearTimeout(timer);
      for (const parent of parents) parent.removeEventListener("abort", abort);
    },
  };
}

/** Waits `ms`; less, and without an error, when `signal` aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish);
  });
}
