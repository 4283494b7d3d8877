/**
 * The box people write in: grows with the text up to a limit, Enter sends and Shift+Enter breaks the line (on touch
 * screens only the button sends), composing of Chinese or Japanese is never cut short, the draft is kept.
 */
import type { ComponentChildren, Ref, VNode } from "preact";
import { useImperativeHandle, useLayoutEffect, useRef, useState } from "preact/hooks";
import { EmojiPicker } from "./EmojiPicker.tsx";
import { useMedia, useOutside } from "./hooks.ts";
import { fill, type Messages } from "./i18n/index.ts";
import { ArrowUpIcon, SmileIcon } from "./icons.tsx";

/** What a server takes (docs/protocol.md, section 11). */
export const MAX_TEXT = 8_000;

export interface ComposerHandle {
  focus(): void;
}

interface ComposerProps {
  readonly handle?: Ref<ComposerHandle>;
  /** Another value starts with another draft: the conversation, and what kind of text it is. */
  readonly name: string;
  readonly draft: string;
  readonly placeholder: string;
  readonly sendLabel?: string;
  readonly words: Messages;
  /** The console hands in its own controls to stand left of the button. */
  readonly tools?: ComponentChildren;
  onDraft(text: string): void;
  onTyping(): void;
  onSend(text: string): void;
}

export function Composer(props: ComposerProps): VNode {
  const { name, words } = props;
  const [text, setText] = useState(props.draft);
  const [picking, setPicking] = useState(false);
  const input = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLDivElement>(null);
  const coarse = useMedia("(pointer: coarse)");
  const over = text.trim().length - MAX_TEXT;
  const sendable = text.trim() !== "" && over <= 0;

  // The draft is read when another conversation comes up, not at every key: this box is its only writer.
  // Before the box is shown: an effect after that would wipe the first words of somebody quick.
  useLayoutEffect(() => setText(props.draft), [name]);
  useOutside(picker, picking, () => setPicking(false));
  useGrowth(input, text);
  useImperativeHandle(props.handle ?? null, () => ({ focus: () => input.current?.focus({ preventScroll: true }) }), []);

  const change = (value: string): void => {
    setText(value);
    props.onDraft(value);
    if (value.trim() !== "") props.onTyping();
  };
  const send = (): void => {
    if (!sendable) return;
    props.onSend(text.trim());
    setText("");
    props.onDraft("");
    input.current?.focus({ preventScroll: true });
  };
  const press = (event: KeyboardEvent): void => {
    // keyCode 229: Safari ends composing before it reports the Enter that ended it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || coarse) return;
    event.preventDefault();
    send();
  };
  const insert = (emoji: string): void => {
    setPicking(false);
    const box = input.current;
    if (box === null) return;
    const [start, end] = [box.selectionStart, box.selectionEnd];
    change(text.slice(0, start) + emoji + text.slice(end));
    queueMicrotask(() => {
      box.focus({ preventScroll: true });
      box.setSelectionRange(start + emoji.length, start + emoji.length);
    });
  };

  return (
    <form
      class="tw-composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={input}
        class="tw-input"
        rows={1}
        // An empty box is written in the page's direction, or its placeholder would stand on the wrong side.
        dir={text === "" ? undefined : "auto"}
        value={text}
        placeholder={props.placeholder}
        aria-label={props.placeholder}
        enterkeyhint={coarse ? "enter" : "send"}
        onInput={(event) => change(event.currentTarget.value)}
        onKeyDown={press}
        data-testid="composer-input"
      />
      {over > 0 && (
        <p class="tw-over" role="alert">
          {fill(words.tooLong, { n: over })}
        </p>
      )}
      <div class="tw-tools">
        <div class="tw-picker" ref={picker}>
          <button
            type="button"
            class="tw-tool"
            aria-label={words.emoji}
            title={words.emoji}
            aria-expanded={picking}
            onClick={() => setPicking(!picking)}
            data-testid="emoji-button"
          >
            <SmileIcon />
          </button>
          {picking && <EmojiPicker label={words.emoji} onPick={insert} onClose={() => setPicking(false)} />}
        </div>
        {props.tools}
        <button
          type="submit"
          class="tw-send"
          disabled={!sendable}
          aria-label={props.sendLabel ?? words.send}
          title={props.sendLabel ?? words.send}
          // Keeps the focus, and with it the keyboard of a phone, in the text.
          onPointerDown={(event) => event.preventDefault()}
          data-testid="send-button"
        >
          <ArrowUpIcon size={18} />
        </button>
      </div>
    </form>
  );
}

/** Gives the box the height of its text; the stylesheet's max-height bounds it. */
function useGrowth(input: { readonly current: HTMLTextAreaElement | null }, text: string): void {
  // The height follows the text
  useLayoutEffect(() => {
    const box = input.current;
    if (box === null) return;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }, [text]);
}
