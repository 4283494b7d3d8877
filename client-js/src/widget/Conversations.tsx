/** The visitor's conversations, newest first, and the start of a new one. */
import type { VNode } from "preact";
import type { Summary, VisitorClient } from "../core/api.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { useNow } from "../ui/hooks.ts";
import type { Speech } from "../ui/i18n/index.ts";
import { CheckCircleIcon, PlusIcon } from "../ui/icons.tsx";
import { shortTime } from "../ui/time.ts";

interface ConversationsProps {
  readonly client: VisitorClient;
  readonly speech: Speech;
  nameOf(person: string): string;
  onOpen(id: string): void;
  onNew(): void;
}

export function Conversations(props: ConversationsProps): VNode {
  const { client, speech } = props;
  return (
    <div class="conversations" data-testid="conversations">
      <ul>
        {client.conversations.map((summary) => (
          <li key={summary.id}>
            <Row {...props} summary={summary} />
          </li>
        ))}
      </ul>
      <button type="button" class="strong-button" onClick={props.onNew} data-testid="new-conversation">
        <PlusIcon size={17} /> {speech.words.newConversation}
      </button>
    </div>
  );
}

function Row({ client, speech, summary, nameOf, onOpen }: ConversationsProps & { readonly summary: Summary }): VNode {
  const now = useNow(30_000);
  const { last } = summary;
  const agent = summary.assignee ?? (last?.author.startsWith("a:") ? last.author : null);
  const name = agent === null ? speech.words.team : nameOf(agent);
  const prefix = last?.author === client.me ? `${speech.words.you}: ` : "";
  return (
    <button type="button" class="row" onClick={() => onOpen(summary.id)} data-conversation={summary.id}>
      <Avatar id={agent ?? "s:system"} name={agent === null ? "" : name} />
      <span class="row-text">
        <span class="row-top">
          <span class="row-name">{name}</span>
          <span class="row-time">{shortTime(summary.updatedAt, now, speech.locale)}</span>
        </span>
        <span class="row-last" data-unread={summary.unread > 0}>
          {prefix}
          <bdi>{last?.text}</bdi>
        </span>
      </span>
      {summary.status === "closed" && (
        <span class="row-closed" title={speech.words.closed}>
          <CheckCircleIcon size={16} />
        </span>
      )}
      {summary.unread > 0 && <span class="row-unread">{summary.unread}</span>}
    </button>
  );
}
