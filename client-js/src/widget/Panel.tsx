/** The open chat: header, banner, the conversation or the list of conversations, and the composer. */
import type { RefObject, VNode } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ConversationView, Happening, VisitorClient } from "../core/api.ts";
import { Composer, type ComposerHandle } from "../ui/Composer.tsx";
import { useEvent, useReadMark, useUnreadMark } from "../ui/hooks.ts";
import { fill, type Speech } from "../ui/i18n/index.ts";
import { Timeline } from "../ui/Timeline.tsx";
import { Banner } from "./Banner.tsx";
import { Closing } from "./Closing.tsx";
import { Conversations } from "./Conversations.tsx";
import { Greeting } from "./Greeting.tsx";
import { Header } from "./Header.tsx";
import { keepFocus, useFullScreen } from "./useFullScreen.ts";

interface PanelProps {
  readonly client: VisitorClient;
  readonly speech: Speech;
  readonly greeting: string | null;
  readonly small: boolean;
  readonly focused: boolean;
  nameOf(person: string): string;
  onClose(): void;
}

export function Panel(props: PanelProps): VNode {
  const { client, speech, small, onClose } = props;
  const panel = useRef<HTMLDivElement>(null);
  const [listing, setListing] = useState(false);
  useFullScreen(panel, small);

  const press = (event: KeyboardEvent): void => {
    if (event.key === "Escape") onClose();
    else if (small && panel.current !== null) keepFocus(event, panel.current);
    // The shop's own keyboard shortcuts must not hear what is typed here.
    event.stopPropagation();
  };
  const show = (choose: () => void): void => {
    choose();
    setListing(false);
  };

  return (
    // Esc and Tab of everything inside are handled here
    <div
      ref={panel}
      class="panel"
      role="dialog"
      aria-modal={small}
      aria-label={client.shop?.name ?? speech.words.openChat}
      tabIndex={-1}
      data-small={small}
      onKeyDown={press}
      data-testid="panel"
    >
      <Header
        client={client}
        words={speech.words}
        small={small}
        listing={listing}
        onList={setListing}
        onClose={onClose}
      />
      <Banner link={client.link} words={speech.words} onRetry={() => client.retryNow()} />
      {listing ? (
        <Conversations
          client={client}
          speech={speech}
          nameOf={props.nameOf}
          onOpen={(id) => show(() => client.openConversation(id))}
          onNew={() => show(() => client.newConversation())}
        />
      ) : (
        <Conversation {...props} panel={panel} />
      )}
    </div>
  );
}

function Conversation(props: PanelProps & { readonly panel: RefObject<HTMLDivElement | null> }): VNode {
  const { client, speech, nameOf, panel, small, focused } = props;
  const id = client.current;
  const blank = useMemo(() => emptyView(id), [id]);
  const view = client.conversation(id) ?? blank;
  const composer = useRef<ComposerHandle>(null);
  const unreadAfter = useUnreadMark(view, view.unread);
  const setAtEnd = useReadMark(client, view, view.unread);

  const first = useRef(true);
  // A touch screen's keyboard must not jump up before the person wants to write.
  // The conversation's id is a reason to do it again.
  useLayoutEffect(() => {
    const quiet = first.current && !focused;
    first.current = false;
    if (quiet) return;
    if (small) panel.current?.focus({ preventScroll: true });
    else composer.current?.focus();
  }, [id, small, panel, focused]);

  const describe = (happening: Happening): string | null => tell(happening, client, speech, nameOf);
  const older = useEvent(() => client.loadOlder(id));
  const retry = useEvent((clientId: string) => client.retry(id, clientId));
  const discard = useEvent((clientId: string) => client.discard(id, clientId));
  return (
    <>
      <Timeline
        view={view}
        speech={speech}
        unreadAfter={unreadAfter}
        nameOf={nameOf}
        describe={describe}
        onOlder={older}
        onRetry={retry}
        onDiscard={discard}
        onEnd={setAtEnd}
        top={<Greeting client={client} words={speech.words} text={props.greeting} />}
        bottom={
          view.status === "closed" && (
            <Closing
              words={speech.words}
              rated={view.rating !== null}
              onRate={(score, comment) => client.rate(id, score, comment)}
              onNew={() => client.newConversation()}
            />
          )
        }
      />
      <div class="footer">
        <Composer
          handle={composer}
          name={id}
          draft={view.draft}
          placeholder={speech.words.placeholder}
          words={speech.words}
          onDraft={(text) => client.setDraft(id, text)}
          onTyping={() => client.typing(id)}
          onSend={(text) => client.sendMessage(id, text)}
        />
      </div>
    </>
  );
}

function tell(
  happening: Happening,
  client: VisitorClient,
  speech: Speech,
  nameOf: PanelProps["nameOf"],
): string | null {
  const { words } = speech;
  if (happening.kind === "status") return happening.status === "closed" ? words.closed : words.reopened;
  if (happening.kind === "rating") return `${words.rated} ${"★".repeat(happening.score ?? 0)}`;
  const assignee = happening.assignee ?? null;
  // Who hands what to whom is the shop's business; that somebody is there is the visitor's.
  return assignee === null || !client.people.has(assignee) ? null : fill(words.joined, { name: nameOf(assignee) });
}

/** A conversation nobody has written in yet. */
function emptyView(id: string): ConversationView {
  return {
    id,
    status: "open",
    assignee: null,
    timeline: [],
    hasOlder: false,
    unread: 0,
    reads: {},
    typing: [],
    rating: null,
    draft: "",
  };
}
