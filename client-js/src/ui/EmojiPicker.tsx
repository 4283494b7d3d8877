/** A small grid of emoji: arrows move, Enter takes one, Esc closes. */
import type { VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { EMOJI, EMOJI_COLUMNS } from "./emoji.ts";

interface EmojiPickerProps {
  readonly label: string;
  onPick(emoji: string): void;
  onClose(): void;
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowRight: 1,
  ArrowUp: -EMOJI_COLUMNS,
  ArrowDown: EMOJI_COLUMNS,
};

export function EmojiPicker({ label, onPick, onClose }: EmojiPickerProps): VNode {
  const grid = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => grid.current?.querySelector("button")?.focus({ preventScroll: true }), []);

  const move = (event: KeyboardEvent): void => {
    const buttons = [...(grid.current?.querySelectorAll("button") ?? [])];
    const step = STEPS[event.key];
    if (event.key === "Escape") {
      event.stopPropagation();
      onClose();
    } else if (step !== undefined) {
      event.preventDefault();
      const mirrored = step % EMOJI_COLUMNS !== 0 && grid.current?.matches(":dir(rtl)") === true;
      const now = buttons.findIndex((button) => button.matches(":focus"));
      buttons[now + (mirrored ? -step : step)]?.focus();
    }
  };

  return (
    <div class="tw-emoji" role="dialog" aria-label={label} ref={grid} onKeyDown={move} data-testid="emoji-picker">
      {EMOJI.map((emoji) => (
        <button type="button" key={emoji} aria-label={emoji} onClick={() => onPick(emoji)}>
          {emoji}
        </button>
      ))}
    </div>
  );
}
