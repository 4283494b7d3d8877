/**
 * Listeners that are called after changes, at most once per microtask. One that throws does not keep
 * the others from being called.
 *
 * May import: nothing.
 */

export class Notifier {
  readonly #listeners = new Set<() => void>();
  #due = false;

  readonly subscribe = (listener: () => void): (() => void) => {
    // An object of its own, so that one function can subscribe twice.
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  };

  readonly changed = (): void => {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      callEach(this.#listeners);
    });
  };
}

export function callEach<A extends unknown[]>(listeners: Iterable<(...args: A) => void>, ...args: A): void {
  for (const listener of [...listeners]) {
    try {
      listener(...args);
    } catch (error) {
      reportError(error);
    }
  }
}
