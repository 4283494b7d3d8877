/** Which rows of the inbox an agent sees. Pure. */
import type { PersonId, Summary } from "../../core/api.ts";

export const FILTERS = ["mine", "unassigned", "open", "closed"] as const;
export type Filter = (typeof FILTERS)[number];

export const FILTER_NAMES: Readonly<Record<Filter, string>> = {
  mine: "Mine",
  unassigned: "Unassigned",
  open: "All open",
  closed: "Closed",
};

export function inFilter(summary: Summary, filter: Filter, me: PersonId | null): boolean {
  if (filter === "closed") return summary.status === "closed";
  if (summary.status === "closed") return false;
  if (filter === "mine") return summary.assignee === me;
  return filter === "open" || summary.assignee === null;
}

export function select(inbox: readonly Summary[], filter: Filter, me: PersonId | null): Summary[] {
  return inbox.filter((summary) => inFilter(summary, filter, me));
}

/** The row `step` further on, staying inside of the list; the first one when none is chosen. */
export function neighbour(rows: readonly Summary[], from: string | null, step: number): string | null {
  const now = rows.findIndex(({ id }) => id === from);
  const next = now === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, now + step));
  return rows[next]?.id ?? null;
}
