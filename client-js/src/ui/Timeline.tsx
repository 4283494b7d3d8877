/**
 * A conversation to read: days, groups of bubbles, happenings, who is typing, and a pill that leads back to the end.
 * Draws the newest WINDOW items and more as the reader goes up; when those run out, it asks for older ones.
 */
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ConversationView, Happening, Message, PersonId } from "../core/api.ts";
import { Avatar } from "./Avatar.tsx";
import { Bubble } from "./Bubble.tsx";
import { useEvent, useNow } from "./hooks.ts";
import { fill, type Speech } from "./i18n/index.ts";
import { ArrowDownIcon } from "./icons.tsx";
import { type MessageGroup, type Row, showsMeta, toRows } from "./rows.ts";
import { TypingDots } from "./TypingDots.tsx";
import { dayLabel } from "./time.ts";
import { useStick } from "./useStick.ts";

/** Items drawn at first, and how many more each time the reader reaches the top. */
const WINDOW = 150;
const DAY_TURN = 60_000;

export interface TimelineProps {
  readonly view: ConversationView;
  readonly speech: Speech;
  /** A message to go to and to mark for a moment; another object asks for it anew. */
  readonly target?: { readonly seq: number } | null;
  /** Whether older entries are being loaded to reach it. */
  readonly seeking?: boolean;
  /** The reader's mark when they came; null draws no line above new messages. */
  readonly unreadAfter: number | null;
  readonly nameOf: (person: PersonId) => string;
  /** Whose name needs not stand above what they write: the one on the other side. */
  readonly unnamed?: PersonId;
  readonly describe: (happening: Happening) => string | null;
  readonly actions?: (message: Message) => ComponentChildren;
  readonly onOlder: () => Promise<void>;
  readonly onRetry: (clientId: string) => void;
  readonly onDiscard: (clientId: string) => void;
  /** Told whether the newest message is in sight. */
  readonly onEnd: (atEnd: boolean) => void;
  /** Stands above the first message once there is nothing older. */
  readonly top?: ComponentChildren;
  readonly bottom?: ComponentChildren;
}

export function Timeline(props: TimelineProps): VNode {
  const { view, speech, onEnd } = props;
  const now = useNow(DAY_TURN);
  const [shown, older, loading] = useWindow(props);
  const rows = useMemo(() => toRows(shown, props.unreadAfter), [shown, props.unreadAfter]);
  const hidden = shown.length < view.timeline.length;
  const stick = useStick(view.id, shown, hidden || view.hasOlder, older, props.target ?? null);
  useEffect(() => onEnd(stick.atEnd), [stick.atEnd, onEnd]);

  return (
    <div class="tw-timeline">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard */}
      <div class="tw-scroll" ref={stick.box} tabIndex={0} role="log" aria-live="off" aria-label={speech.words.timeline}>
        <div class="tw-rows" ref={stick.content} data-testid="timeline">
          {(loading || props.seeking === true) && <Spinner label={speech.words.loading} />}
          {!hidden && !view.hasOlder && props.top}
          {rows.map((row) => (
            <RowView key={row.key} row={row} now={now} {...props} />
          ))}
          {view.typing.map((person) => (
            <div class="tw-group" key={`typing-${person}`} data-mine="false" data-testid="typing">
              <Avatar id={person} name={props.nameOf(person)} size="small" />
              <div class="tw-bubble">
                <TypingDots label={fill(speech.words.typing, { name: props.nameOf(person) })} />
              </div>
            </div>
          ))}
          {props.bottom}
        </div>
      </div>
      {!stick.atEnd && (
        <button
          type="button"
          class="tw-pill"
          data-fresh={stick.fresh > 0}
          onClick={stick.jump}
          aria-label={speech.words.newMessages}
          data-testid="jump-pill"
        >
          {stick.fresh > 0 && (
            <span>
              {speech.words.newMessages} · {stick.fresh}
            </span>
          )}
          <ArrowDownIcon size={16} />
        </button>
      )}
    </div>
  );
}

type Items = ConversationView["timeline"];

/** Items drawn above the message that is gone to. */
const ABOVE = 30;

/** How many of the newest items it takes to have a message among them. */
function reaching(timeline: Items, seq: number | undefined): number {
  const at = timeline.findIndex((item) => item.type === "message" && item.message.seq === seq);
  return seq === undefined || at === -1 ? 0 : timeline.length - at + ABOVE;
}

/** The newest part of the timeline, a way to go further back, and whether older entries are on their way. */
function useWindow({ view, target, onOlder }: TimelineProps): [Items, () => void, boolean] {
  const [size, setSize] = useState(WINDOW);
  const [loading, setLoading] = useState(false);
  const busy = useRef(false);
  // Another conversation starts at its end
  useEffect(() => setSize(WINDOW), [view.id]);
  const shown = useMemo(() => {
    const most = Math.max(size, reaching(view.timeline, target?.seq));
    return view.timeline.length > most ? view.timeline.slice(-most) : view.timeline;
  }, [view, size, target]);
  const older = useEvent(() => {
    if (busy.current) return;
    setSize(size + WINDOW);
    if (size < view.timeline.length || !view.hasOlder) return;
    busy.current = true;
    setLoading(true);
    // A failed fetch is tried again at the next scroll; the link banner tells about lost connections.
    const done = (): void => {
      busy.current = false;
      setLoading(false);
    };
    onOlder().then(done, done);
  });
  return [shown, older, loading];
}

function RowView(props: TimelineProps & { readonly row: Row; readonly now: number }): VNode | null {
  const { row, speech } = props;
  if (row.type === "day") {
    return (
      <div class="tw-day">
        <span>{dayLabel(row.at, props.now, speech.locale)}</span>
      </div>
    );
  }
  if (row.type === "unread") {
    return (
      <div class="tw-unread" data-testid="unread-mark">
        <span>{speech.words.unreadMark}</span>
      </div>
    );
  }
  if (row.type === "group") return <Group {...props} group={row} />;
  const text = props.describe(row.happening);
  return text === null ? null : (
    <div class="tw-happening" data-testid="happening">
      {text}
    </div>
  );
}

function Group(props: TimelineProps & { readonly group: MessageGroup }): VNode {
  const { group, speech, nameOf } = props;
  const name = nameOf(group.author);
  const plain = group.author === props.unnamed || (group.mine && group.kind === "message");
  return (
    <div class="tw-group" data-mine={group.mine} data-kind={group.kind}>
      {!group.mine && <Avatar id={group.author} name={name} size="small" />}
      <div class="tw-messages">
        <div class={plain ? "tw-hidden" : "tw-author"}>{group.mine ? speech.words.you : name}</div>
        {group.messages.map((message, index) => (
          <Bubble
            key={message.clientId}
            message={message}
            speech={speech}
            meta={showsMeta(group, index)}
            actions={props.actions}
            onRetry={props.onRetry}
            onDiscard={props.onDiscard}
          />
        ))}
      </div>
    </div>
  );
}

function Spinner({ label }: { readonly label: string }): VNode {
  return (
    <div class="tw-spinner" role="status">
      <span class="tw-hidden">{label}</span>
    </div>
  );
}
