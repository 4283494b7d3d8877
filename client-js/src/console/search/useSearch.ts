/** The search of the desk: what is found by its query, and which row the keys are at. May import preact's hooks. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { AgentClient } from "../../core/api.ts";
import { type Item, itemsOf, neighbourOf, peopleIn } from "./results.ts";
import { Searcher, type SearchState } from "./searcher.ts";

export interface Search {
  readonly active: boolean;
  readonly state: SearchState;
  readonly items: readonly Item[];
  /** The row that Enter opens. */
  readonly chosen: Item | null;
  choose(key: string): void;
  move(step: number): void;
  more(): void;
  retry(): void;
}

export function useSearch(client: AgentClient, query: string): Search {
  const [state, setState] = useState<SearchState | null>(null);
  const [key, setKey] = useState<string | null>(null);
  const searcher = useMemo(() => new Searcher((text, cursor) => client.search(text, cursor), setState), [client]);
  useEffect(() => () => searcher.stop(), [searcher]);
  useEffect(() => {
    searcher.look(query);
    setKey(null);
  }, [searcher, query]);

  const shown = state ?? searcher.state;
  const { inbox } = client;
  const local = useMemo(() => peopleIn(inbox, query), [inbox, query]);
  const items = useMemo(() => itemsOf(local, shown.people, shown.hits), [local, shown.people, shown.hits]);
  const chosen = items.find((item) => item.key === key) ?? items[0] ?? null;
  return {
    active: query.trim() !== "",
    state: shown,
    items,
    chosen,
    choose: setKey,
    move: (step) => setKey(neighbourOf(items, chosen?.key ?? null, step)),
    more: () => searcher.more(),
    retry: () => searcher.retry(),
  };
}
