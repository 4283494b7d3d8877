/**
 * A small store of texts that never throws: the browser's where it lets us, memory where it does not
 * (private modes, blocked cookies, a full quota). What falls back to memory is gone after a reload.
 *
 * May import: nothing.
 */

export interface KeyValue {
  get(key: string): string | null;
  /** Whether it will survive a reload. */
  set(key: string, value: string): boolean;
  remove(key: string): void;
  keys(prefix: string): string[];
}

export class MemoryStore implements KeyValue {
  readonly #map = new Map<string, string>();

  get(key: string): string | null {
    return this.#map.get(key) ?? null;
  }

  set(key: string, value: string): boolean {
    this.#map.set(key, value);
    return false;
  }

  remove(key: string): void {
    this.#map.delete(key);
  }

  keys(prefix: string): string[] {
    return [...this.#map.keys()].filter((key) => key.startsWith(prefix));
  }
}

/** A store over `storage`, a getter because merely naming localStorage may throw. */
export class BrowserStore implements KeyValue {
  readonly #storage: () => Storage;
  readonly #memory = new MemoryStore();

  constructor(storage: () => Storage) {
    this.#storage = storage;
  }

  get(key: string): string | null {
    return this.#memory.get(key) ?? this.#try((storage) => storage.getItem(key), null);
  }

  set(key: string, value: string): boolean {
    const kept = this.#try((storage) => {
      storage.setItem(key, value);
      return true;
    }, false);
    if (kept) this.#memory.remove(key);
    else this.#memory.set(key, value);
    return kept;
  }

  remove(key: string): void {
    this.#memory.remove(key);
    this.#try((storage) => storage.removeItem(key), undefined);
  }

  keys(prefix: string): string[] {
    const kept = this.#try((storage) => Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? ""), []);
    const mine = kept.filter((key) => key.startsWith(prefix));
    return [...new Set([...mine, ...this.#memory.keys(prefix)])];
  }

  #try<T>(act: (storage: Storage) => T, otherwise: T): T {
    try {
      return act(this.#storage());
    } catch {
      return otherwise;
    }
  }
}

/** Reads JSON that this program wrote; null for nothing or for what does not parse. */
export function readJson<T>(store: KeyValue, key: string): T | null {
  try {
    return JSON.parse(store.get(key) ?? "null") as T | null;
  } catch {
    return null;
  }
}
