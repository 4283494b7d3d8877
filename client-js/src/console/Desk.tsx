/** The desk of an agent: inbox, conversation and details beside each other, or one at a time on a phone. */
import type { VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { AgentClient, Summary } from "../core/api.ts";
import type { ComposerHandle } from "../ui/Composer.tsx";
import { useIncoming } from "../ui/hooks.ts";
import { ChatIcon } from "../ui/icons.tsx";
import { visitorName } from "../ui/people.ts";
import { useAlerts } from "./alerts/useAlerts.ts";
import { commands } from "./commands.ts";
import { Conversation } from "./conversation/Conversation.tsx";
import { Details } from "./details/Details.tsx";
import { Footer } from "./Footer.tsx";
import { neighbour, select } from "./inbox/filter.ts";
import { Inbox } from "./inbox/Inbox.tsx";
import { Help } from "./overlay/Help.tsx";
import { Palette } from "./overlay/Palette.tsx";
import { Logo } from "./parts/Logo.tsx";
import type { Prefer, Preferences } from "./preferences.ts";
import { Field } from "./search/Field.tsx";
import { type Item, Results } from "./search/Results.tsx";
import { type Search, useSearch } from "./search/useSearch.ts";
import { type Shortcuts, useShortcuts } from "./shortcuts.ts";
import { type DeskState, goTo, useDesk } from "./useDesk.ts";

interface DeskProps {
  readonly client: AgentClient;
  readonly preferences: Preferences;
  readonly prefer: Prefer;
}

export function Desk({ client, preferences, prefer }: DeskProps): VNode {
  const [desk, change] = useDesk();
  const { inbox, me } = client;
  const composer = useRef<ComposerHandle>(null);
  const field = useRef<HTMLInputElement>(null);
  const notes = useRef(new Map<string, string>());
  const rows = useMemo(() => select(inbox, desk.filter, me), [inbox, desk.filter, me]);
  const search = useSearch(client, desk.query);
  const open = inbox.find(({ id }) => id === desk.openId) ?? null;

  useEffect(() => {
    if (desk.openId !== null && client.link.phase !== "idle") void client.open(desk.openId);
  }, [client, desk.openId, client.link.phase]);
  useAlerts({ client, preferences, openId: desk.openId, onOpen: goTo });

  const write = (mode: DeskState["mode"]): void => {
    change({ mode, editing: null });
    // The box changes its draft first, then takes the focus.
    requestAnimationFrame(() => composer.current?.focus());
  };
  const toggleStatus = (): void => {
    if (open !== null) client.setStatus(open.id, open.status === "open" ? "closed" : "open");
  };
  const look = (query: string): void => {
    change({ query, overlay: null });
    // At once, for the next key may follow at once; and again when the palette, as it goes, gave the focus back.
    field.current?.focus();
    if (desk.overlay !== null) requestAnimationFrame(() => field.current?.focus());
  };
  useShortcuts(shortcuts({ desk, change, rows, open, search, look, write, toggleStatus }));

  return (
    <main class="desk" data-open={open !== null} data-detailed={desk.detailed} data-testid="desk">
      <nav class="inbox" aria-label="Inbox">
        <header class="bar inbox-bar">
          <Logo />
          <h1>{client.shop?.name ?? "Inbox"}</h1>
          <button
            type="button"
            class="palette-open"
            onClick={() => change({ overlay: "palette" })}
            data-testid="palette-open"
          >
            <kbd>Ctrl K</kbd>
          </button>
        </header>
        <Field
          field={field}
          query={desk.query}
          search={search}
          onQuery={(query) => change({ query })}
          onOpen={openFound}
        />
        {search.active ? (
          <Results
            client={client}
            query={desk.query}
            search={search}
            openId={desk.openId}
            openSeq={desk.target?.seq ?? null}
            onOpen={openFound}
          />
        ) : (
          <Inbox
            client={client}
            rows={rows}
            filter={desk.filter}
            openId={desk.openId}
            cursor={desk.cursor}
            onFilter={(filter) => change({ filter })}
            onOpen={goTo}
          />
        )}
        <Footer client={client} preferences={preferences} prefer={prefer} onHelp={() => change({ overlay: "help" })} />
      </nav>
      {open === null ? (
        <Nothing />
      ) : (
        <>
          <Conversation
            client={client}
            summary={open}
            target={desk.target}
            mode={desk.mode}
            editing={desk.editing}
            assigning={desk.assigning}
            detailed={desk.detailed}
            handle={composer}
            notes={notes.current}
            onMode={write}
            onEditing={(editing) => {
              change({ editing, mode: "reply" });
              requestAnimationFrame(() => composer.current?.focus());
            }}
            onAssigning={(assigning) => change({ assigning })}
            onDetails={(detailed) => change({ detailed })}
            onToggleStatus={toggleStatus}
            onBack={() => goTo(null)}
          />
          <Details client={client} summary={open} onClose={() => change({ detailed: false })} />
        </>
      )}
      <Announcement client={client} />
      {desk.overlay === "help" && <Help onClose={() => change({ overlay: null })} />}
      {desk.overlay === "palette" && (
        <Palette
          commands={commands({ client, open, preferences, prefer, change, look, write, toggleStatus })}
          onSearch={look}
          onClose={() => change({ overlay: null })}
        />
      )}
    </main>
  );
}

/** Tells screen readers what visitors write. */
function Announcement({ client }: { readonly client: AgentClient }): VNode {
  const [incoming] = useIncoming(client);
  const visitor = client.inbox.find(({ id }) => id === incoming?.conversation)?.visitor;
  return (
    <div class="tw-hidden" aria-live="polite">
      {incoming !== null && visitor !== undefined && `${visitorName(visitor)}: ${incoming.message.text}`}
    </div>
  );
}

function Nothing(): VNode {
  return (
    <section class="empty empty-desk" aria-label="Conversation">
      <ChatIcon size={40} />
      <h2>Choose a conversation</h2>
      <p>
        <kbd>J</kbd> and <kbd>K</kbd> move through the inbox, <kbd>Enter</kbd> opens, <kbd>?</kbd> shows the rest.
      </p>
    </section>
  );
}

const openFound = (item: Item): void => goTo(item.conversation.id, item.type === "hit" ? item.seq : null);

interface Keys {
  readonly desk: DeskState;
  readonly rows: readonly Summary[];
  readonly open: Summary | null;
  readonly search: Search;
  readonly change: (part: Partial<DeskState>) => void;
  look(query: string): void;
  write(mode: DeskState["mode"]): void;
  toggleStatus(): void;
}

function shortcuts({ desk, rows, open, search, change, look, write, toggleStatus }: Keys): Shortcuts {
  const move = (step: number) => () =>
    search.active ? search.move(step) : change({ cursor: neighbour(rows, desk.cursor, step) });
  const anywhere: Shortcuts = {
    j: move(1),
    k: move(-1),
    ArrowDown: move(1),
    ArrowUp: move(-1),
    Enter: () => {
      if (!search.active) goTo(desk.cursor);
      else if (search.chosen !== null) openFound(search.chosen);
    },
    "/": () => look(desk.query),
    "?": () => change({ overlay: "help" }),
    "Mod+k": () => change({ overlay: "palette" }),
    Escape: () => leave(desk, change),
  };
  if (open === null) return anywhere;
  return {
    ...anywhere,
    r: () => write("reply"),
    n: () => write("note"),
    e: toggleStatus,
    a: () => change({ assigning: true }),
  };
}

/** Esc goes one step back: out of an edit, out of the text, out of a search, out of the details. */
function leave(desk: DeskState, change: (part: Partial<DeskState>) => void): void {
  if (desk.editing !== null) change({ editing: null });
  else if (document.activeElement instanceof HTMLTextAreaElement) document.activeElement.blur();
  else if (desk.query !== "") change({ query: "" });
  else if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
  else if (desk.detailed) change({ detailed: false });
}
