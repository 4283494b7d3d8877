/** What a search found: people, then messages, or why there is nothing to see. */
import { Fragment, type VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { AgentClient, Pieces } from "../../core/api.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { useNow } from "../../ui/hooks.ts";
import { AlertIcon, NoteIcon, SearchIcon } from "../../ui/icons.tsx";
import { visitorName } from "../../ui/people.ts";
import { fullTime, shortTime } from "../../ui/time.ts";
import { LOCALE } from "../speech.ts";
import type { HitItem, Item, PersonItem } from "./results.ts";
import type { Search } from "./useSearch.ts";

export type { Item } from "./results.ts";

export const RESULTS = "search-results";
/** More is asked for this many pixels before the end. */
const NEAR_END = 400;
const HALF_MINUTE = 30_000;
const GROUPS: Readonly<Record<Item["type"], string>> = { person: "People", hit: "Messages" };

interface ResultsProps {
  readonly client: AgentClient;
  readonly query: string;
  readonly search: Search;
  readonly openId: string | null;
  readonly openSeq: number | null;
  onOpen(item: Item): void;
}

export function Results(props: ResultsProps): VNode {
  const { client, query, search } = props;
  const { state, items } = search;
  const now = useNow(HALF_MINUTE);
  const list = useRef<HTMLDivElement>(null);
  // Another question is answered from its top.
  useLayoutEffect(() => list.current?.scrollTo({ top: 0 }), [query]);
  return (
    <div
      class="inbox-list found"
      ref={list}
      onScroll={({ currentTarget: box }) => {
        if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END) search.more();
      }}
      data-testid="results"
      data-phase={state.phase}
    >
      <div id={RESULTS} role="listbox" aria-label="Found" aria-busy={state.phase === "searching"}>
        {items.map((item, index) => (
          <Fragment key={item.key}>
            {item.type !== items[index - 1]?.type && (
              <h2 class="found-group" role="presentation">
                {GROUPS[item.type]}
              </h2>
            )}
            <FoundRow
              item={item}
              client={client}
              chosen={item.key === search.chosen?.key}
              open={isOpen(item, props)}
              now={now}
              onOpen={() => {
                search.choose(item.key);
                props.onOpen(item);
              }}
            />
          </Fragment>
        ))}
      </div>
      {state.loadingMore && <div class="tw-spinner inbox-spinner" />}
      {state.phase === "failed" ? (
        <Failed onRetry={search.retry} />
      ) : state.phase === "searching" ? (
        state.hits.length === 0 && <Bones />
      ) : (
        items.length === 0 && <Nothing query={state.query} />
      )}
      <p class="tw-hidden" role="status">
        {state.phase === "found" && told(items, state.cursor !== null)}
      </p>
    </div>
  );
}

const isOpen = (item: Item, { openId, openSeq }: ResultsProps): boolean =>
  item.conversation.id === openId && (item.type === "hit" ? item.seq === openSeq : openSeq === null);

interface RowProps<I extends Item> {
  readonly item: I;
  readonly client: AgentClient;
  readonly now: number;
}

function FoundRow({
  item,
  chosen,
  open,
  onOpen,
  ...rest
}: RowProps<Item> & { readonly chosen: boolean; readonly open: boolean; onOpen(): void }): VNode {
  const row = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (chosen) row.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const { visitor, presence } = item.conversation;
  return (
    <button
      ref={row}
      type="button"
      role="option"
      id={`found-${item.key}`}
      class="inbox-row found-row"
      tabIndex={-1}
      aria-selected={chosen}
      aria-current={open ? "true" : undefined}
      data-cursor={chosen}
      data-type={item.type}
      onClick={onOpen}
      data-testid="found-row"
      data-conversation={item.conversation.id}
    >
      <Avatar id={visitor.id} name={visitorName(visitor)} presence={presence.state} />
      {item.type === "person" ? <Person item={item} {...rest} /> : <Hit item={item} {...rest} />}
    </button>
  );
}

function Person({ item, now }: RowProps<PersonItem>): VNode {
  const { conversation, name, email } = item;
  const named = name.join("") !== "";
  return (
    <span class="inbox-text">
      <span class="inbox-top">
        <span class="inbox-name">
          <bdi>{named ? <Marked pieces={name} /> : visitorName(conversation.visitor)}</bdi>
        </span>
        <State closed={conversation.status === "closed"} />
        <time class="inbox-time">{shortTime(conversation.updatedAt, now, LOCALE)}</time>
      </span>
      <span class="inbox-last">
        <bdi>{email.join("") === "" ? conversation.last?.text : <Marked pieces={email} />}</bdi>
      </span>
    </span>
  );
}

function Hit({ item, client, now }: RowProps<HitItem>): VNode {
  const { conversation, author, kind, at, excerpt } = item;
  return (
    <span class="inbox-text">
      <span class="inbox-top">
        <span class="inbox-name">
          <bdi>{visitorName(conversation.visitor)}</bdi>
        </span>
        <State closed={conversation.status === "closed"} />
        <time class="inbox-time" dateTime={new Date(at).toISOString()} title={fullTime(at, LOCALE)}>
          {shortTime(at, now, LOCALE)}
        </time>
      </span>
      <span class="found-text" dir="auto">
        {kind === "note" && <NoteIcon size={14} />}
        {author.startsWith("a:") && <span class="found-author">{nameOf(author, client)}: </span>}
        <Marked pieces={excerpt} />
      </span>
    </span>
  );
}

const nameOf = (author: string, client: AgentClient): string =>
  author === client.me ? "You" : (client.people.get(author)?.name ?? "A former agent");

function State({ closed }: { readonly closed: boolean }): VNode | null {
  return closed ? <span class="found-closed">Closed</span> : null;
}

function Marked({ pieces }: { readonly pieces: Pieces }): VNode {
  return (
    <>
      {pieces.map((piece, index) =>
        // Pieces have no other name and are drawn anew together
        index % 2 === 1 ? <mark key={index}>{piece}</mark> : piece,
      )}
    </>
  );
}

function Nothing({ query }: { readonly query: string }): VNode {
  return (
    <div class="empty empty-inbox" data-testid="search-empty">
      <SearchIcon size={28} />
      <p>
        Nothing matches “<bdi>{query}</bdi>”.
      </p>
      <small>Fewer words find more. The last word may be only its beginning.</small>
    </div>
  );
}

function Failed({ onRetry }: { onRetry(): void }): VNode {
  return (
    <div class="empty empty-inbox" role="alert" data-testid="search-failed">
      <AlertIcon size={28} />
      <p>The search does not answer right now.</p>
      <button type="button" class="button-quiet" onClick={onRetry} data-testid="search-retry">
        Try again
      </button>
    </div>
  );
}

function Bones(): VNode {
  return (
    <div class="skeleton-rows" role="status" aria-label="Searching" data-testid="search-bones">
      {[64, 82, 54, 76].map((width) => (
        <div class="skeleton-row" key={width}>
          <i class="bone bone-face" />
          <span>
            <i class="bone" style={{ width: `${width / 2}%` }} />
            <i class="bone bone-thin" style={{ width: `${width}%` }} />
          </span>
        </div>
      ))}
    </div>
  );
}

/** For screen readers. */
function told(items: readonly Item[], more: boolean): string {
  const people = items.filter(({ type }) => type === "person").length;
  const hits = items.length - people;
  return `${people} ${people === 1 ? "person" : "people"}, ${more ? "more than " : ""}${hits} messages found`;
}
