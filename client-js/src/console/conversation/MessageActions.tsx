/** Edit and delete, beside a message under the pointer or the focus. Deleting asks once more. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Message } from "../../core/api.ts";
import { EditIcon, TrashIcon } from "../../ui/icons.tsx";

/** A question that is not answered goes away. */
const PATIENCE = 4_000;

interface MessageActionsProps {
  readonly message: Message;
  onEdit(message: Message): void;
  onRemove(message: Message): void;
}

export function MessageActions({ message, onEdit, onRemove }: MessageActionsProps): VNode {
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    if (!asking) return;
    const timer = setTimeout(() => setAsking(false), PATIENCE);
    return () => clearTimeout(timer);
  }, [asking]);
  return (
    <span class="message-actions" data-asking={asking}>
      {message.mine && message.kind === "message" && (
        <button type="button" aria-label="Edit" title="Edit" onClick={() => onEdit(message)} data-testid="message-edit">
          <EditIcon size={16} />
        </button>
      )}
      <button
        type="button"
        aria-label={asking ? "Delete for good" : "Delete"}
        title="Delete"
        class={asking ? "danger" : ""}
        onClick={() => (asking ? onRemove(message) : setAsking(true))}
        data-testid="message-delete"
      >
        {asking ? "Delete?" : <TrashIcon size={16} />}
      </button>
    </span>
  );
}
