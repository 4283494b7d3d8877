/** Everything the console can do, and every loaded conversation, by a few letters. */
import type { VNode } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { SearchIcon } from "../../ui/icons.tsx";
import { Overlay } from "../parts/Overlay.tsx";
import { rank } from "./search.ts";

export interface Command {
  readonly id: string;
  readonly name: string;
  /** What else finds it, shown in grey. */
  readonly hint?: string;
  readonly group: "Conversation" | "Go to" | "Console" | "Conversations";
  readonly keys?: string;
  run(): void;
}

/** Rows shown at once. */
const MOST = 40;

interface PaletteProps {
  readonly commands: readonly Command[];
  /** Looks for the same words in all messages. */
  onSearch(query: string): void;
  onClose(): void;
}

export function Palette({ commands, onSearch, onClose }: PaletteProps): VNode {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const found = useMemo(() => {
    const ranked = rank(commands, query).slice(0, MOST);
    if (query.trim() === "") return ranked;
    const name = `Search messages for “${query.trim()}”`;
    const look: Command = { id: "look", group: "Console", name, run: () => onSearch(query) };
    return [...ranked, look];
  }, [commands, query, onSearch]);
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => list.current?.querySelector("[aria-selected='true']")?.scrollIntoView({ block: "nearest" }));

  const run = (command: Command | undefined): void => {
    if (command === undefined) return;
    onClose();
    command.run();
  };
  const press = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setAt((at + 1) % Math.max(1, found.length));
    else if (event.key === "ArrowUp") setAt((at + found.length - 1) % Math.max(1, found.length));
    else if (event.key === "Enter" && !event.isComposing) run(found[at]);
    else return;
    event.preventDefault();
  };

  return (
    <Overlay label="Commands" className="palette" onClose={onClose} testid="palette">
      <div class="palette-search">
        <SearchIcon size={18} />
        <input
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found[at] === undefined ? undefined : `command-${found[at].id}`}
          aria-label="Search for commands and conversations"
          placeholder="Search for commands and conversations…"
          autocomplete="off"
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={press}
          data-testid="palette-input"
        />
      </div>
      <div class="palette-list" id="palette-list" role="listbox" aria-label="Commands" ref={list}>
        {found.map((command, index) => (
          <div key={command.id}>
            {query === "" && command.group !== found[index - 1]?.group && <p class="palette-group">{command.group}</p>}
            <button
              type="button"
              role="option"
              id={`command-${command.id}`}
              tabIndex={-1}
              aria-selected={index === at}
              class="palette-item"
              onPointerMove={() => setAt(index)}
              onClick={() => run(command)}
            >
              <span class="palette-name" dir="auto">
                {command.name}
              </span>
              {command.hint !== undefined && (
                <span class="palette-hint" dir="auto">
                  {command.hint}
                </span>
              )}
              {command.keys !== undefined && <kbd>{command.keys}</kbd>}
            </button>
          </div>
        ))}
      </div>
    </Overlay>
  );
}
