/**
 * What a search found, read from the wire (docs/protocol.md, section 8). Pure.
 *
 * What holds always: a hit or person whose conversation did not come with it is left out.
 * May import: api, summary, uuid.
 */

import type { Pieces, SearchHit, SearchPage, SearchPerson, Summary } from "../api.ts";
import { fromWire } from "../wire/uuid.ts";

type Json = Readonly<Record<string, unknown>>;

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const pieces = (value: unknown): Pieces => (Array.isArray(value) ? value.map(text) : []);

/** `summaryOf` gives the conversation of an id, if it is known. */
export function pageFrom(value: Json, summaryOf: (id: string) => Summary | null): SearchPage {
  const conversationOf = (json: Json): Summary | null => {
    const id = fromWire(json.conversation);
    return id === null ? null : summaryOf(id);
  };
  const hits = list(value.hits).flatMap((json): SearchHit[] => {
    const conversation = conversationOf(json);
    if (conversation === null) return [];
    const { seq, author, kind, at, excerpt } = json;
    return [
      {
        conversation,
        seq: number(seq),
        author: text(author),
        kind: kind === "note" ? "note" : "message",
        at: number(at),
        excerpt: pieces(excerpt),
      },
    ];
  });
  const people = list(value.visitors).flatMap((json): SearchPerson[] => {
    const conversation = conversationOf(json);
    return conversation === null ? [] : [{ conversation, name: pieces(json.name), email: pieces(json.email) }];
  });
  return { hits, people, cursor: typeof value.cursor === "string" ? value.cursor : null };
}
