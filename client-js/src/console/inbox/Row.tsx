/** One conversation in the inbox. */
import type { VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { PersonId, Summary } from "../../core/api.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { NoteIcon, StarIcon } from "../../ui/icons.tsx";
import { memo } from "../../ui/memo.ts";
import { visitorName } from "../../ui/people.ts";
import { shortTime } from "../../ui/time.ts";
import { LOCALE } from "../speech.ts";

interface RowProps {
  readonly summary: Summary;
  readonly me: PersonId | null;
  readonly assignee: string | null;
  readonly open: boolean;
  readonly cursor: boolean;
  readonly now: number;
  readonly onOpen: (id: string) => void;
}

const MOST = 99;

export const Row = memo<RowProps>((props) => <RowBody {...props} />);

function RowBody({ summary, me, assignee, open, cursor, now, onOpen }: RowProps): VNode {
  const row = useRef<HTMLButtonElement>(null);
  const { id, visitor, presence, unread, rating } = summary;
  useLayoutEffect(() => {
    if (cursor) row.current?.scrollIntoView({ block: "nearest" });
  }, [cursor]);
  return (
    <button
      ref={row}
      type="button"
      class="inbox-row"
      aria-current={open ? "true" : undefined}
      data-cursor={cursor}
      data-unread={unread > 0}
      onClick={() => onOpen(id)}
      data-testid="inbox-row"
      data-conversation={id}
    >
      <Avatar id={visitor.id} name={visitorName(visitor)} presence={presence.state} />
      <span class="inbox-text">
        <span class="inbox-top">
          <span class="inbox-name">
            <bdi>{visitorName(visitor)}</bdi>
          </span>
          <span class="inbox-time">{shortTime(summary.updatedAt, now, LOCALE)}</span>
        </span>
        <span class="inbox-bottom">
          <Preview summary={summary} me={me} />
          {rating !== null && (
            <span class="inbox-rating" title={`Rated ${rating} of 5`}>
              <StarIcon size={13} full /> {rating}
            </span>
          )}
          {unread > 0 ? (
            <span class="count" data-testid="row-unread">
              {unread > MOST ? `${MOST}+` : unread}
            </span>
          ) : (
            summary.assignee !== null &&
            summary.assignee !== me &&
            assignee !== null && (
              <span class="inbox-assignee" title={`Assigned to ${assignee}`}>
                <Avatar id={summary.assignee} name={assignee} size="small" />
              </span>
            )
          )}
        </span>
      </span>
    </button>
  );
}

function Preview({ summary, me }: { readonly summary: Summary; readonly me: PersonId | null }): VNode {
  const { last, typing } = summary;
  if (typing) return <span class="inbox-last inbox-typing">is typing…</span>;
  if (last === null) return <span class="inbox-last">No messages yet</span>;
  return (
    <span class="inbox-last">
      {last.kind === "note" && <NoteIcon size={14} />}
      {last.author === me && "You: "}
      <bdi>{last.text}</bdi>
    </span>
  );
}
