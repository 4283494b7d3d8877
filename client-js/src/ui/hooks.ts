/** Small hooks that both pages share. May import preact and the core's types. */
import { useCallback, useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import type { BaseClient, ConversationView, Message, Uuid } from "../core/api.ts";
import { markBefore } from "./rows.ts";

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

/** Where the reader stood when a conversation came up; the mark stays there until they come back to it. */
export function useUnreadMark(view: ConversationView, unread: number): number | null {
  const marked = useRef<{ id: string; seq: number | null }>({ id: "", seq: null });
  if (marked.current.id !== view.id && view.timeline.length > 0) {
    marked.current = { id: view.id, seq: markBefore(view.timeline, unread) };
  }
  return marked.current.id === view.id ? marked.current.seq : null;
}

/** Marks as read what the person has before their eyes. Gives back what is to be told whether the end is in sight. */
export function useReadMark(
  client: Pick<BaseClient, "markRead">,
  { id, timeline }: ConversationView,
  unread: number,
): (atEnd: boolean) => void {
  const [atEnd, setAtEnd] = useState(true);
  const seen = usePageSeen();
  useEffect(() => {
    // What is not loaded yet cannot be marked: the timeline is a reason to look again.
    if (atEnd && seen && unread > 0 && timeline.length > 0) client.markRead(id);
  }, [atEnd, seen, unread, id, timeline, client]);
  return setAtEnd;
}

export interface Incoming {
  readonly conversation: Uuid;
  readonly message: Message;
}

/** The newest message of somebody else that came while this page was open, and a way to forget it. */
export function useIncoming(client: Pick<BaseClient, "onMessage">): [Incoming | null, () => void] {
  const [incoming, setIncoming] = useState<Incoming | null>(null);
  useEffect(() => client.onMessage((conversation, message) => setIncoming({ conversation, message })), [client]);
  return [incoming, () => setIncoming(null)];
}

/** A handler that stays the same object and always runs the newest version. Not to be called while drawing. */
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
