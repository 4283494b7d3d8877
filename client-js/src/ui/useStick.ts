/**
 * Keeps a timeline where the reader wants it: at the end while they are there, where they were when older messages come
 * in above, with a count of what came below while they read further up, and at a message that they asked for. May import
 * preact.
 */
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { TimelineItem } from "../core/api.ts";
import { useEvent } from "./hooks.ts";

/** Closer to the end than this counts as being there. */
const NEAR_END = 48;
/** Older messages are fetched this far before their place is reached. */
const NEAR_START = 240;

export interface Stick {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  readonly atEnd: boolean;
  /** Messages of others that came below while the reader was further up. */
  readonly fresh: number;
  jump(): void;
}

interface Seen {
  id: string;
  last: number;
}

/** The message the reader looks at: whatever comes in above, it stays at its place on the screen. */
interface Anchor {
  readonly clientId: string;
  readonly top: number;
}

export function useStick(
  id: string,
  items: readonly TimelineItem[],
  hasOlder: boolean,
  older: () => void,
  target: { readonly seq: number } | null,
): Stick {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const seen = useRef<Seen>({ id: "", last: 0 });
  const anchor = useRef<Anchor | null>(null);
  const [atEnd, setAtEnd] = useState(true);
  const [fresh, setFresh] = useState(0);

  const toEnd = useEvent((): void => {
    const element = box.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  });
  const settle = useEvent((end: boolean): void => {
    pinned.current = end;
    setAtEnd(end);
    if (end) setFresh(0);
  });

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const now = { id, last: lastSeq(items) };
    const before = seen.current;
    seen.current = now;
    if (before.id !== id) {
      settle(true);
      toEnd();
    } else if (pinned.current) {
      toEnd();
    } else if (now.last > before.last) {
      setFresh((count) => count + newOfOthers(items, before.last));
    }
  }, [id, items, settle, toEnd]);

  // What I wrote myself is always shown.
  const mine = items.findLast((item) => item.type === "message" && item.message.mine);
  const mineKey = mine?.type === "message" ? mine.message.clientId : "";
  const pendingMine = mine?.type === "message" && mine.message.seq === null;
  // A new message of mine, not its later states
  useLayoutEffect(() => {
    if (!pendingMine) return;
    settle(true);
    toEnd();
  }, [mineKey]);

  // The message asked for, as soon as it is drawn; once, so that the reader may go elsewhere.
  const reached = useRef<{ readonly seq: number } | null>(null);
  useLayoutEffect(() => {
    if (target === null || target === reached.current || box.current === null) return;
    const element = box.current.querySelector<HTMLElement>(`[data-seq="${target.seq}"]`);
    if (element === null) return;
    reached.current = target;
    settle(false);
    element.scrollIntoView({ block: "center" });
    anchor.current = findAnchor(box.current);
    mark(element);
  }, [id, target, items, settle]);

  // After every drawing: older messages, a spinner or a banner may have come or gone above.
  useLayoutEffect(() => {
    if (box.current !== null && !pinned.current) restore(box.current, anchor.current);
  });

  const look = useEvent((): void => {
    const element = box.current;
    if (element === null) return;
    anchor.current = findAnchor(element);
    const end = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
    if (end !== pinned.current) settle(end);
    if (element.scrollTop < NEAR_START && hasOlder) older();
  });

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const resized = new ResizeObserver(() => {
      if (pinned.current) toEnd();
      else restore(element, anchor.current);
      look();
    });
    resized.observe(element);
    if (content.current !== null) resized.observe(content.current);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [look, toEnd]);

  const jump = useEvent((): void => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    box.current?.scrollTo({ top: box.current.scrollHeight, behavior: calm ? "auto" : "smooth" });
    setFresh(0);
  });
  return { box, content, atEnd, fresh, jump };
}

/** Draws the eye to a message, also when it was marked a moment ago. */
function mark(element: HTMLElement): void {
  delete element.dataset.found;
  void element.offsetWidth; // an animation begins anew only after a drawing without it
  element.dataset.found = "true";
}

/** The first message whose end can be seen, by its id: its element may be drawn anew. */
function findAnchor(box: HTMLElement): Anchor | null {
  const start = box.getBoundingClientRect().top;
  for (const element of box.querySelectorAll<HTMLElement>("[data-client-id]")) {
    const { top, bottom } = element.getBoundingClientRect();
    if (bottom > start) return { clientId: element.dataset.clientId ?? "", top: top - start };
  }
  return null;
}

function restore(box: HTMLElement, anchor: Anchor | null): void {
  const element = anchor && box.querySelector(`[data-client-id="${CSS.escape(anchor.clientId)}"]`);
  if (!anchor || !element) return;
  const top = element.getBoundingClientRect().top - box.getBoundingClientRect().top;
  if (Math.abs(top - anchor.top) >= 1) box.scrollTop += top - anchor.top;
}

const seqOf = (item: TimelineItem): number => (item.type === "message" ? item.message.seq : item.happening.seq) ?? 0;

const lastSeq = (items: readonly TimelineItem[]): number => items.reduce((top, item) => Math.max(top, seqOf(item)), 0);

const newOfOthers = (items: readonly TimelineItem[], after: number): number =>
  items.filter((item) => item.type === "message" && !item.message.mine && seqOf(item) > after).length;
