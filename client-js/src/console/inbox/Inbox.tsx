/**
 * The list of conversations with its filters. Draws at most PAGE rows at first and more as the agent scrolls;
 * when the loaded ones run out, it asks for the next.
 */
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { AgentClient, Summary } from "../../core/api.ts";
import { useEvent, useNow } from "../../ui/hooks.ts";
import { CheckCircleIcon, InboxIcon } from "../../ui/icons.tsx";
import { FILTER_NAMES, FILTERS, type Filter, inFilter } from "./filter.ts";
import { Row } from "./Row.tsx";

const PAGE = 60;
/** More is loaded this many pixels before the end. */
const NEAR_END = 400;
const MINUTE = 60_000;
/** Pages fetched by themselves for a filter that leaves too few rows to scroll; after these a button asks. */
const OWN_PAGES = 4;

export interface InboxProps {
  readonly client: AgentClient;
  readonly rows: readonly Summary[];
  readonly filter: Filter;
  readonly openId: string | null;
  readonly cursor: string | null;
  onFilter(filter: Filter): void;
  onOpen(id: string): void;
}

export function Inbox(props: InboxProps): VNode {
  const { client, rows, filter } = props;
  const [size, setSize] = useState(PAGE);
  const own = useRef(0);
  // Another list starts at its top.
  useEffect(() => {
    own.current = 0;
    setSize(PAGE);
  }, [filter]);
  const more = useEvent((): void => {
    if (size < rows.length) setSize(size + PAGE);
    else if (client.inboxHasMore && !client.inboxLoading) void client.loadMoreInbox();
  });
  const few = rows.length < PAGE / 4 && client.inboxHasMore && !client.inboxLoading;
  useEffect(() => {
    if (!few || own.current >= OWN_PAGES) return;
    own.current += 1;
    void client.loadMoreInbox();
  }, [few, client, filter]);

  return (
    <>
      <Filters client={client} filter={filter} onFilter={props.onFilter} />
      <div
        class="inbox-list"
        onScroll={({ currentTarget: list }) => {
          if (list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END) more();
        }}
        data-testid="inbox"
      >
        <Rows {...props} rows={rows.slice(0, size)} />
        {rows.length === 0 && (client.inboxLoading ? <Skeleton /> : <Empty filter={filter} />)}
        {rows.length > 0 && client.inboxLoading && <div class="tw-spinner inbox-spinner" />}
        {few && (
          <button type="button" class="inbox-more" onClick={more} data-testid="inbox-more">
            Look further back
          </button>
        )}
      </div>
    </>
  );
}

function Rows({ client, rows, openId, cursor, onOpen }: InboxProps): VNode {
  const now = useNow(MINUTE / 2);
  const open = useEvent(onOpen);
  return (
    <>
      {rows.map((summary) => (
        <Row
          key={summary.id}
          summary={summary}
          me={client.me}
          assignee={summary.assignee === null ? null : (client.people.get(summary.assignee)?.name ?? null)}
          open={summary.id === openId}
          cursor={summary.id === cursor}
          now={now}
          onOpen={open}
        />
      ))}
    </>
  );
}

function Filters({ client, filter, onFilter }: Pick<InboxProps, "client" | "filter" | "onFilter">): VNode {
  const count = (name: Filter): number => client.inbox.filter((row) => inFilter(row, name, client.me)).length;
  return (
    <div class="filters" role="tablist" aria-label="Conversations">
      {FILTERS.map((name) => (
        <button
          type="button"
          key={name}
          role="tab"
          aria-selected={filter === name}
          onClick={() => onFilter(name)}
          data-testid={`filter-${name}`}
        >
          {FILTER_NAMES[name]}
          {(name === "mine" || name === "unassigned") && count(name) > 0 && <span>{count(name)}</span>}
        </button>
      ))}
    </div>
  );
}

const EMPTY: Readonly<Record<Filter, string>> = {
  mine: "Nothing is assigned to you.",
  unassigned: "Every conversation has somebody.",
  open: "No open conversations. Enjoy the calm.",
  closed: "No closed conversations yet.",
};

function Empty({ filter }: Pick<InboxProps, "filter">): VNode {
  return (
    <div class="empty empty-inbox" data-testid="inbox-empty">
      {filter === "open" ? <CheckCircleIcon size={28} /> : <InboxIcon size={28} />}
      <p>{EMPTY[filter]}</p>
    </div>
  );
}

function Skeleton(): VNode {
  return (
    <div class="skeleton-rows" role="status" aria-label="Loading">
      {[72, 48, 60, 84, 56, 66].map((width) => (
        <div class="skeleton-row" key={width}>
          <i class="bone bone-face" />
          <span>
            <i class="bone" style={{ width: `${width}%` }} />
            <i class="bone bone-thin" style={{ width: `${130 - width}%` }} />
          </span>
        </div>
      ))}
    </div>
  );
}
