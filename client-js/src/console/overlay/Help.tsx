/** The keyboard shortcuts, all on one sheet. */
import type { VNode } from "preact";
import { CloseIcon } from "../../ui/icons.tsx";
import { Overlay } from "../parts/Overlay.tsx";

const KEYS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Inbox",
    [
      ["J ↓", "Next conversation"],
      ["K ↑", "Previous conversation"],
      ["Enter", "Open it"],
      ["/", "Search people and messages"],
    ],
  ],
  [
    "Conversation",
    [
      ["R", "Reply"],
      ["N", "Add a note"],
      ["A", "Assign"],
      ["E", "Close or reopen"],
    ],
  ],
  [
    "Writing",
    [
      ["Enter", "Send"],
      ["Shift Enter", "New line"],
      ["Esc", "Leave the text"],
    ],
  ],
  [
    "Anywhere",
    [
      ["Ctrl K", "Commands"],
      ["?", "This help"],
    ],
  ],
];

export function Help({ onClose }: { onClose(): void }): VNode {
  return (
    <Overlay label="Keyboard shortcuts" className="help" onClose={onClose} testid="help">
      <header class="help-head">
        <h2>Keyboard shortcuts</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick={onClose}>
          <CloseIcon size={20} />
        </button>
      </header>
      <div class="help-groups">
        {KEYS.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, meaning]) => (
                <div key={meaning}>
                  <dt>{meaning}</dt>
                  <dd>
                    {key.split(" ").map((part) => (
                      <kbd key={part}>{part}</kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Overlay>
  );
}
