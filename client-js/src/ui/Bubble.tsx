/** One message: its bubble, and under it the time and the ticks, or why it was not sent. */
import type { ComponentChildren, VNode } from "preact";
import type { Message } from "../core/api.ts";
import type { Speech } from "./i18n/index.ts";
import { AlertIcon } from "./icons.tsx";
import { memo } from "./memo.ts";
import { isOnlyEmoji, RichText } from "./RichText.tsx";
import { Ticks } from "./Ticks.tsx";
import { clock, fullTime } from "./time.ts";

export interface BubbleProps {
  readonly message: Message;
  readonly speech: Speech;
  readonly meta: boolean;
  /** Buttons beside the bubble, such as edit and delete. */
  readonly actions?: ((message: Message) => ComponentChildren) | undefined;
  readonly onRetry: (clientId: string) => void;
  readonly onDiscard: (clientId: string) => void;
}

export const Bubble = memo<BubbleProps>(({ message, speech, meta, actions, onRetry, onDiscard }) => {
  const large = message.kind === "message" && !message.deleted && isOnlyEmoji(message.text);
  return (
    <div
      class="tw-message"
      data-testid="message"
      data-client-id={message.clientId}
      data-seq={message.seq ?? undefined}
      data-state={message.state}
      data-kind={message.kind}
      data-mine={message.mine}
    >
      <div class="tw-line">
        <div
          class="tw-bubble"
          data-large={large}
          data-deleted={message.deleted}
          title={fullTime(message.at, speech.locale)}
          data-testid="message-text"
        >
          {/* The text's own direction must not turn the bubble's corners. */}
          <span dir="auto">{message.deleted ? speech.words.deleted : <RichText text={message.text} />}</span>
        </div>
        {!message.deleted && message.seq !== null && actions?.(message)}
      </div>
      {message.state === "failed" ? (
        <Failed message={message} speech={speech} onRetry={onRetry} onDiscard={onDiscard} />
      ) : (
        meta && <Meta message={message} speech={speech} />
      )}
    </div>
  );
});

function Meta({ message, speech }: { readonly message: Message; readonly speech: Speech }): VNode {
  return (
    <div class="tw-meta">
      {message.edited && !message.deleted && <span>{speech.words.edited}</span>}
      <time dateTime={new Date(message.at).toISOString()}>{clock(message.at, speech.locale)}</time>
      {/* Nobody waits for a note: it has no ticks once it is kept. */}
      {message.mine && (message.kind === "message" || message.state === "sending" || message.state === "queued") && (
        <Ticks state={message.state} words={speech.words} />
      )}
    </div>
  );
}

function Failed({ message, speech, onRetry, onDiscard }: Omit<BubbleProps, "meta" | "actions">): VNode {
  const { words } = speech;
  return (
    <div class="tw-failed" role="alert" data-testid="message-failed">
      <AlertIcon size={14} />
      <span title={message.error?.message}>{words.failed}</span>
      <button type="button" onClick={() => onRetry(message.clientId)} data-testid="message-retry">
        {words.retry}
      </button>
      <button type="button" onClick={() => onDiscard(message.clientId)} data-testid="message-discard">
        {words.discard}
      </button>
    </div>
  );
}
