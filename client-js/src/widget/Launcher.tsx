/** The button in the corner, with a badge for what is unread. */
import type { RefObject, VNode } from "preact";
import type { Messages } from "../ui/i18n/index.ts";
import { ChatIcon, ChevronDownIcon } from "../ui/icons.tsx";

interface LauncherProps {
  readonly button: RefObject<HTMLButtonElement | null>;
  readonly open: boolean;
  readonly unread: number;
  readonly label: string | null;
  readonly words: Messages;
  onToggle(): void;
}

/** More than this is "9+". */
const MOST = 9;

export function Launcher({ button, open, unread, label, words, onToggle }: LauncherProps): VNode {
  const name = open ? words.closeChat : (label ?? words.openChat);
  return (
    <button
      ref={button}
      type="button"
      class="launcher"
      data-open={open}
      data-labelled={label !== null && !open}
      aria-label={unread > 0 && !open ? `${name}. ${words.newMessages}: ${unread}` : name}
      aria-expanded={open}
      onClick={onToggle}
      data-testid="launcher"
    >
      <span class="launcher-icon launcher-chat">
        <ChatIcon size={28} />
      </span>
      <span class="launcher-icon launcher-close">
        <ChevronDownIcon size={26} />
      </span>
      {label !== null && !open && <span class="launcher-label">{label}</span>}
      {unread > 0 && !open && (
        <span class="badge" data-testid="unread-badge">
          {unread > MOST ? `${MOST}+` : unread}
        </span>
      )}
    </button>
  );
}
