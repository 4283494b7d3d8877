/** What the desk itself remembers: which conversation is open, the filter, what lies over the page. */
import { useEffect, useState } from "preact/hooks";
import type { Message } from "../core/api.ts";
import type { Mode } from "./conversation/ReplyBox.tsx";
import type { Filter } from "./inbox/filter.ts";

export interface DeskState {
  readonly openId: string | null;
  readonly cursor: string | null;
  readonly filter: Filter;
  readonly query: string;
  readonly mode: Mode;
  readonly editing: Message | null;
  readonly assigning: boolean;
  readonly detailed: boolean;
  readonly overlay: "palette" | "help" | null;
}

const START: DeskState = {
  openId: null,
  cursor: null,
  filter: "open",
  query: "",
  mode: "reply",
  editing: null,
  assigning: false,
  detailed: false,
  overlay: null,
};

/** The open conversation stands in the address, so that Back, reload and bookmarks work. */
const PLACE = /^#\/c\/([0-9a-z-]+)$/i;
const openFromAddress = (): string | null => PLACE.exec(location.hash)?.[1] ?? null;

export function useDesk(): [DeskState, (change: Partial<DeskState>) => void] {
  const [state, set] = useState<DeskState>(() => ({ ...START, openId: openFromAddress(), cursor: openFromAddress() }));
  const change = (part: Partial<DeskState>): void => set((now) => ({ ...now, ...part }));
  useEffect(() => {
    const follow = (): void => {
      const openId = openFromAddress();
      set((now) => (now.openId === openId ? now : { ...now, ...closed(now), openId, cursor: openId ?? now.cursor }));
    };
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return [state, change];
}

export function goTo(id: string | null): void {
  location.hash = id === null ? "#/" : `#/c/${id}`;
}

/** What ends when another conversation comes up. */
const closed = (now: DeskState): Partial<DeskState> => ({
  mode: "reply",
  editing: null,
  assigning: false,
  detailed: now.detailed && innerWidth > 760,
});
