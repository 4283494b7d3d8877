/**
 * Turns a timeline into the rows that a page draws: separators between days, a mark above what is unread, messages
 * of one person in groups, happenings. Pure; imports types only.
 */
import type { Happening, Message, PersonId, TimelineItem } from "../core/api.ts";
import { sameDay } from "./time.ts";

/** A longer silence than this starts a new group. */
export const GROUP_GAP = 5 * 60_000;

export type Row =
  | { readonly type: "day"; readonly key: string; readonly at: number }
  | { readonly type: "unread"; readonly key: string }
  | { readonly type: "happening"; readonly key: string; readonly happening: Happening }
  | MessageGroup;

export interface MessageGroup {
  readonly type: "group";
  readonly key: string;
  readonly author: PersonId;
  readonly mine: boolean;
  readonly kind: Message["kind"];
  readonly messages: readonly Message[];
}

/** `unreadAfter` is the reader's mark when they came: what others wrote after it is new. Null: mark nothing. */
export function toRows(timeline: readonly TimelineItem[], unreadAfter: number | null): Row[] {
  const rows: Row[] = [];
  let day: number | null = null;
  let marked = unreadAfter === null;
  for (const item of timeline) {
    const at = item.type === "message" ? item.message.at : item.happening.at;
    if (day === null || !sameDay(day, at)) rows.push({ type: "day", key: `day-${dayKey(at)}`, at });
    day = at;
    if (!marked && isNew(item, unreadAfter ?? 0)) {
      rows.push({ type: "unread", key: "unread" });
      marked = true;
    }
    addItem(rows, item);
  }
  return rows;
}

const dayKey = (at: number): string => new Date(at).toDateString();

function isNew(item: TimelineItem, mark: number): boolean {
  return item.type === "message" && !item.message.mine && item.message.seq !== null && item.message.seq > mark;
}

function addItem(rows: Row[], item: TimelineItem): void {
  if (item.type === "happening") {
    rows.push({ type: "happening", key: `happening-${item.happening.seq}`, happening: item.happening });
    return;
  }
  const last = rows.at(-1);
  if (last?.type === "group" && belongs(last, item.message)) {
    rows[rows.length - 1] = { ...last, messages: [...last.messages, item.message] };
  } else {
    const { author, mine, kind, clientId } = item.message;
    rows.push({ type: "group", key: clientId, author, mine, kind, messages: [item.message] });
  }
}

function belongs(group: MessageGroup, message: Message): boolean {
  const last = group.messages.at(-1);
  if (last === undefined || group.author !== message.author || group.kind !== message.kind) return false;
  return message.at - last.at < GROUP_GAP;
}

/** The mark above the last `unread` messages of others; null when nothing is unread. */
export function markBefore(timeline: readonly TimelineItem[], unread: number): number | null {
  let left = unread;
  for (const item of left > 0 ? timeline.toReversed() : []) {
    if (!isNew(item, 0) || item.type !== "message") continue;
    left -= 1;
    if (left === 0) return (item.message.seq ?? 1) - 1;
  }
  return unread > 0 ? 0 : null;
}

/** Whether time and ticks stand under a message: the last of its group, or in another state than the next one. */
export function showsMeta(group: MessageGroup, index: number): boolean {
  const [message, next] = [group.messages[index], group.messages[index + 1]];
  return next === undefined || (group.mine && message?.state !== next.state);
}
