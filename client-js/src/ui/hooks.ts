/** Small hooks that both pages share. May import preact and the core's types. */
import { useCallback, useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import type { BaseClient } from "../core/api.ts";

/** Draws the component anew whenever the client's state changed. */
export function useClient(client: Pick<BaseClient, "subscribe">): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => client.subscribe(() => redraw(undefined)), [client]);
}

/** Whether a media query holds, now and later. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const update = (): void => setHolds(list.matches);
    update();
    list.addEventListener("change", update);
    return () => list.removeEventListener("change", update);
  }, [query]);
  return holds;
}

export type ThemeChoice = "auto" | "light" | "dark";

export function useTheme(choice: ThemeChoice): "light" | "dark" {
  const dark = useMedia("(prefers-color-scheme: dark)");
  if (choice !== "auto") return choice;
  return dark ? "dark" : "light";
}

/** The time, renewed every `period` ms, for labels such as "5m". */
export function useNow(period: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), period);
    return () => clearInterval(timer);
  }, [period]);
  return now;
}

/** Whether the person looks at this page. */
export function usePageSeen(): boolean {
  const look = (): boolean => document.visibilityState === "visible" && document.hasFocus();
  const [seen, setSeen] = useState(look);
  useEffect(() => {
    const update = (): void => setSeen(look());
    const events: [EventTarget, string][] = [
      [document, "visibilitychange"],
      [window, "focus"],
      [window, "blur"],
    ];
    for (const [target, name] of events) target.addEventListener(name, update);
    return () => {
      for (const [target, name] of events) target.removeEventListener(name, update);
    };
  }, []);
  return seen;
}

/** A function that stays the same object and always runs the newest version. */
export function useEvent<A extends unknown[], R>(handler: (...args: A) => R): (...args: A) => R {
  const newest = useRef(handler);
  useLayoutEffect(() => {
    newest.current = handler;
  });
  return useCallback((...args: A) => newest.current(...args), []);
}

/** Calls back on a pointer press outside of the element, also through shadow roots. */
export function useOutside(ref: { readonly current: Element | null }, active: boolean, close: () => void): void {
  const leave = useEvent(close);
  useEffect(() => {
    if (!active) return;
    const press = (event: Event): void => {
      if (ref.current !== null && !event.composedPath().includes(ref.current)) leave();
    };
    document.addEventListener("pointerdown", press, true);
    return () => document.removeEventListener("pointerdown", press, true);
  }, [active, ref, leave]);
}
