/** Where an agent writes: a reply to the visitor, a note to colleagues, or another wording of a message of theirs. */
import type { Ref, VNode } from "preact";
import type { AgentClient, ConversationView, Message } from "../../core/api.ts";
import { Composer, type ComposerHandle } from "../../ui/Composer.tsx";
import { CloseIcon, EditIcon } from "../../ui/icons.tsx";
import { SPEECH } from "../speech.ts";

export type Mode = "reply" | "note";

interface ReplyBoxProps {
  readonly client: AgentClient;
  readonly view: ConversationView;
  readonly visitorName: string;
  readonly mode: Mode;
  readonly editing: Message | null;
  readonly handle: Ref<ComposerHandle>;
  /** Drafts of notes by conversation. Those of replies are the client's to keep. */
  readonly notes: Map<string, string>;
  onMode(mode: Mode): void;
  onEdited(): void;
}

export function ReplyBox(props: ReplyBoxProps): VNode {
  const { client, view, mode, editing, notes, onMode, onEdited } = props;
  const { id } = view;
  const draft = editing?.text ?? (mode === "note" ? (notes.get(id) ?? "") : view.draft);
  const keep = (text: string): void => {
    if (editing !== null) return;
    if (mode === "note") notes.set(id, text);
    else client.setDraft(id, text);
  };
  const send = (text: string): void => {
    if (editing !== null && editing.seq !== null) {
      if (text !== editing.text) client.edit(id, editing.seq, text);
      onEdited();
    } else if (mode === "note") client.sendNote(id, text);
    else client.sendMessage(id, text);
  };
  const action = editing !== null ? "Save" : mode === "note" ? "Add note" : "Send";

  return (
    <div class="reply" data-mode={editing === null ? mode : "edit"}>
      {editing === null ? (
        <div class="reply-tabs" role="tablist" aria-label="What you write">
          <Tab name="Reply" hint="R" chosen={mode === "reply"} onChoose={() => onMode("reply")} />
          <Tab name="Note" hint="N" chosen={mode === "note"} onChoose={() => onMode("note")} />
        </div>
      ) : (
        <div class="reply-editing">
          <EditIcon size={15} /> Editing your message
          <button type="button" aria-label="Cancel" onClick={onEdited}>
            <CloseIcon size={15} />
          </button>
        </div>
      )}
      <Composer
        handle={props.handle}
        name={`${id} ${mode} ${editing?.clientId ?? ""}`}
        draft={draft}
        placeholder={mode === "note" ? "Write a note. Only your team sees it." : `Reply to ${props.visitorName}…`}
        sendLabel={action}
        words={SPEECH.words}
        onDraft={keep}
        onTyping={() => {
          if (mode === "reply" && editing === null) client.typing(id);
        }}
        onSend={send}
      />
    </div>
  );
}

interface TabProps {
  readonly name: string;
  readonly hint: string;
  readonly chosen: boolean;
  onChoose(): void;
}

function Tab({ name, hint, chosen, onChoose }: TabProps): VNode {
  return (
    <button
      type="button"
      role="tab"
      aria-selected={chosen}
      title={`${name} (${hint})`}
      onClick={onChoose}
      data-testid={`tab-${name.toLowerCase()}`}
    >
      {name}
    </button>
  );
}
