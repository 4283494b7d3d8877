/** A message that came while the panel was closed, shown beside the launcher. */
import type { VNode } from "preact";
import type { Message } from "../core/api.ts";
import { Avatar } from "../ui/Avatar.tsx";
import type { Messages } from "../ui/i18n/index.ts";
import { CloseIcon } from "../ui/icons.tsx";

interface TeaserProps {
  readonly message: Message;
  readonly name: string;
  readonly words: Messages;
  onOpen(): void;
  onDismiss(): void;
}

export function Teaser({ message, name, words, onOpen, onDismiss }: TeaserProps): VNode {
  return (
    <div class="teaser" data-testid="teaser">
      <button type="button" class="teaser-open" onClick={onOpen}>
        <Avatar id={message.author} name={name} />
        <span class="teaser-text">
          <span class="teaser-name">{name}</span>
          <span class="teaser-message" dir="auto">
            {message.text}
          </span>
        </span>
      </button>
      <button type="button" class="teaser-close" aria-label={words.discard} onClick={onDismiss}>
        <CloseIcon size={14} />
      </button>
    </div>
  );
}
