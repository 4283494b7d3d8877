/** What the desk itself remembers: which conversation is open, the filter, what lies over the page. */
import { useEffect, useState } from "preact/hooks";
import type { Message } from "../core/api.ts";
import type { Mode } from "./conversation/ReplyBox.tsx";
import type { Filter } from "./inbox/filter.ts";

/** An entry to look at. Another object is another wish to see it. */
export interface Target {
  readonly seq: number;
}

export interface DeskState {
  readonly openId: string | null;
  readonly target: Target | null;
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
  target: null,
  cursor: null,
  filter: "open",
  query: "",
  mode: "reply",
  editing: null,
  assigning: false,
  detailed: false,
  overlay: null,
};

/** The open conversation, and the message in it, stand in the address, so that Back, reload and bookmarks work. */
const PLACE = /^#\/c\/([0-9a-z-]+)(?:\/(\d{1,15}))?$/i;

function fromAddress(): Pick<DeskState, "openId" | "target"> {
  const [, openId = null, seq] = PLACE.exec(location.hash) ?? [];
  return { openId, target: seq === undefined ? null : { seq: Number(seq) } };
}

export function useDesk(): [DeskState, (change: Partial<DeskState>) => void] {
  const [state, set] = useState<DeskState>(() => {
    const { openId, target } = fromAddress();
    return { ...START, openId, target, cursor: openId };
  });
  const change = (part: Partial<DeskState>): void => set((now) => ({ ...now, ...part }));
  useEffect(() => {
    const follow = (): void => {
      const { openId, target } = fromAddress();
      set((now) =>
        now.openId === openId
          ? { ...now, target }
          : { ...now, ...closed(now), openId, target, cursor: openId ?? now.cursor },
      );
    };
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return [state, change];
}

/** `seq` is a message to show there, also when it is shown already. */
export function goTo(id: string | null, seq: number | null = null): void {
  const place = id === null ? "#/" : `#/c/${id}${seq === null ? "" : `/${seq}`}`;
  if (location.hash === place) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = place;
}

/** What ends when another conversation comes up. */
const closed = (now: DeskState): Partial<DeskState> => ({
  mode: "reply",
  editing: null,
  assigning: false,
  detailed: now.detailed && innerWidth > 760,
});
