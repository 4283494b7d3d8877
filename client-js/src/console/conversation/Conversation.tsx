/** The middle of the desk: header, timeline and reply box of the conversation that is open. */
import type { Ref, VNode } from "preact";
import { useMemo } from "preact/hooks";
import type { AgentClient, ConversationView, Happening, Message, Summary } from "../../core/api.ts";
import type { ComposerHandle } from "../../ui/Composer.tsx";
import { useEvent, useReadMark, useUnreadMark } from "../../ui/hooks.ts";
import { visitorName } from "../../ui/people.ts";
import { Timeline } from "../../ui/Timeline.tsx";
import { SPEECH } from "../speech.ts";
import type { Target } from "../useDesk.ts";
import { Header } from "./Header.tsx";
import { MessageActions } from "./MessageActions.tsx";
import { Refused } from "./Refused.tsx";
import { type Mode, ReplyBox } from "./ReplyBox.tsx";
import { tell } from "./tell.ts";
import { useTarget } from "./useTarget.ts";

export interface ConversationProps {
  readonly client: AgentClient;
  readonly summary: Summary;
  readonly target: Target | null;
  readonly mode: Mode;
  readonly editing: Message | null;
  readonly assigning: boolean;
  readonly detailed: boolean;
  readonly handle: Ref<ComposerHandle>;
  readonly notes: Map<string, string>;
  onMode(mode: Mode): void;
  onEditing(message: Message | null): void;
  onAssigning(open: boolean): void;
  onDetails(open: boolean): void;
  onToggleStatus(): void;
  onBack(): void;
}

export function Conversation(props: ConversationProps): VNode {
  const view = props.client.conversation(props.summary.id);
  return (
    <section class="conversation" aria-label="Conversation" data-testid="conversation">
      <Header {...props} />
      <Refused client={props.client} id={props.summary.id} />
      {view === null ? <Skeleton /> : <Body {...props} view={view} />}
    </section>
  );
}

function Body(props: ConversationProps & { readonly view: ConversationView }): VNode {
  const { client, summary, view, onEditing } = props;
  const { id } = view;
  const seeking = useTarget(client, id, props.target);
  const loading = view.timeline.length === 0 && summary.last !== null;
  const unread = Math.max(view.unread, summary.unread);
  const unreadAfter = useUnreadMark(view, unread);
  const setAtEnd = useReadMark(client, view, unread);
  const nameOf = (person: string): string => nameIn(person, client, summary);
  const describe = (happening: Happening): string => tell(happening, client.me, nameOf);
  const older = useEvent(() => client.loadOlder(id));
  const retry = useEvent((clientId: string) => client.retry(id, clientId));
  const discard = useEvent((clientId: string) => client.discard(id, clientId));
  const remove = useEvent((message: Message) => {
    if (message.seq !== null) client.remove(id, message.seq);
  });
  const edit = useEvent((message: Message) => onEditing(message));
  const actions = useMemo(
    () => (message: Message) =>
      message.mine ? <MessageActions message={message} onEdit={edit} onRemove={remove} /> : null,
    [edit, remove],
  );

  return (
    <>
      {loading ? (
        <Skeleton />
      ) : (
        <Timeline
          view={view}
          speech={SPEECH}
          target={props.target}
          seeking={seeking}
          unreadAfter={unreadAfter}
          nameOf={nameOf}
          unnamed={summary.visitor.id}
          describe={describe}
          actions={actions}
          onOlder={older}
          onRetry={retry}
          onDiscard={discard}
          onEnd={setAtEnd}
        />
      )}
      <ReplyBox
        client={client}
        view={view}
        visitorName={visitorName(summary.visitor)}
        mode={props.mode}
        editing={props.editing}
        handle={props.handle}
        notes={props.notes}
        onMode={props.onMode}
        onEdited={() => onEditing(null)}
      />
    </>
  );
}

function nameIn(person: string, client: AgentClient, summary: Summary): string {
  if (person === summary.visitor.id) return visitorName(summary.visitor);
  return client.people.get(person)?.name ?? (person.startsWith("a:") ? "A former agent" : "Tradewind");
}

function Skeleton(): VNode {
  return (
    <div class="skeleton-timeline" role="status" aria-label="Loading">
      {[46, 62, 38, 54].map((width, index) => (
        <i class="bone bone-bubble" key={width} data-mine={index % 2 === 1} style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
