/**
 * What a search shows, in one list that the arrows walk: people first, then messages. People come from two places: the
 * rows that are loaded, which also know the names given to visitors without one, and the server. Pure.
 */
import type { Pieces, SearchHit, SearchPerson, Summary } from "../../core/api.ts";
import { visitorName } from "../../ui/people.ts";

/** People shown; who looks for one writes more of the name. */
export const MOST_PEOPLE = 5;

export interface PersonItem extends SearchPerson {
  readonly type: "person";
  readonly key: string;
}

export interface HitItem extends SearchHit {
  readonly type: "hit";
  readonly key: string;
}

export type Item = PersonItem | HitItem;

export function itemsOf(
  local: readonly SearchPerson[],
  people: readonly SearchPerson[],
  hits: readonly SearchHit[],
): Item[] {
  const byVisitor = new Map<string, PersonItem>();
  for (const person of [...people, ...local]) {
    const { id, visitor } = person.conversation;
    if (!byVisitor.has(visitor.id)) byVisitor.set(visitor.id, { type: "person", key: `person-${id}`, ...person });
  }
  return [
    ...[...byVisitor.values()].slice(0, MOST_PEOPLE),
    ...hits.map((hit): HitItem => ({ type: "hit", key: `hit-${hit.conversation.id}-${hit.seq}`, ...hit })),
  ];
}

/** The visitors of the loaded rows whose name or address has all words of the query, in the order of the rows. */
export function peopleIn(inbox: readonly Summary[], query: string): SearchPerson[] {
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  return inbox.flatMap((conversation) => {
    const { visitor } = conversation;
    const [name, email] = [visitorName(visitor), visitor.email ?? ""];
    const text = `${fold(name)}\n${fold(email)}`;
    if (!words.every((word) => text.includes(word))) return [];
    return [{ conversation, name: mark(name, words), email: mark(email, words) }];
  });
}

/** The row `step` further on, staying inside of the list; the first one when none is chosen. */
export function neighbourOf(items: readonly Item[], from: string | null, step: number): string | null {
  const now = items.findIndex(({ key }) => key === from);
  const next = now === -1 ? 0 : Math.min(items.length - 1, Math.max(0, now + step));
  return items[next]?.key ?? null;
}

const fold = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** The text in pieces, every second one a word of the query. */
function mark(text: string, words: readonly string[]): Pieces {
  const letters = text.normalize("NFC").match(/\P{M}\p{M}*|\p{M}+/gu) ?? [];
  const folded = letters.map(fold);
  const marked = letters.map(() => false);
  for (let at = 0; at < letters.length; at++) {
    const rest = folded.slice(at).join("");
    for (const word of words) {
      if (!rest.startsWith(word)) continue;
      for (let end = at, left = word.length; left > 0; end++) {
        marked[end] = true;
        left -= folded[end]?.length ?? left;
      }
    }
  }
  const pieces = [""];
  letters.forEach((letter, at) => {
    if (marked[at] !== (pieces.length % 2 === 0)) pieces.push("");
    pieces[pieces.length - 1] += letter;
  });
  return pieces;
}
