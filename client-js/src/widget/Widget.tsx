/** The whole widget: launcher, teaser, panel, and a voice for screen readers. */
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { VisitorClient } from "../core/api.ts";
import { useClient, useIncoming, useTheme } from "../ui/hooks.ts";
import type { Speech } from "../ui/i18n/index.ts";
import { Launcher } from "./Launcher.tsx";
import { accents, toLook } from "./look.ts";
import { keepSettings, keptSettings } from "./memory.ts";
import { Panel } from "./Panel.tsx";
import { Teaser } from "./Teaser.tsx";
import { useSmallScreen } from "./useFullScreen.ts";

export interface WidgetProps {
  readonly client: VisitorClient;
  readonly server: string;
  readonly shop: string;
  readonly speech: Speech;
  readonly open: boolean;
  /** Open because it was so on the last page: the shop's page keeps the focus. */
  readonly restored: boolean;
  onOpen(open: boolean): void;
}

/** Without word from the server the launcher shows itself, in its default colour, after this long. */
const UNVEIL = 2_500;

export function Widget({ client, server, shop, speech, open, restored, onOpen }: WidgetProps): VNode {
  useClient(client);
  const small = useSmallScreen();
  const settings = client.shop?.settings;
  const kept = useMemo(() => keptSettings(server, shop), [server, shop]);
  const look = useMemo(() => toLook(settings ?? kept ?? {}, speech), [settings, kept, speech]);
  const theme = useTheme(look.theme);
  const veiled = useVeil(settings !== undefined || kept !== null);
  const launcher = useRef<HTMLButtonElement>(null);
  const nameOf = (id: string): string => client.people.get(id)?.name ?? speech.words.team;
  const [incoming, dismiss] = useIncoming(client);

  useEffect(() => {
    if (settings !== undefined) keepSettings(server, shop, settings);
  }, [settings, server, shop]);
  const toggle = (next: boolean): void => {
    dismiss();
    onOpen(next);
    if (!next) launcher.current?.focus({ preventScroll: true });
  };

  return (
    <div
      class="tw-root"
      data-theme={theme}
      data-side={look.side}
      data-veiled={veiled}
      dir={speech.direction}
      lang={speech.locale}
      style={accents(look.color, theme)}
    >
      {open && (
        <Panel
          client={client}
          speech={speech}
          greeting={look.greeting}
          small={small}
          focused={!restored}
          nameOf={nameOf}
          onClose={() => toggle(false)}
        />
      )}
      {!open && incoming !== null && (
        <Teaser
          message={incoming.message}
          name={nameOf(incoming.message.author)}
          words={speech.words}
          onOpen={() => {
            if (incoming.conversation !== client.current) client.openConversation(incoming.conversation);
            toggle(true);
          }}
          onDismiss={dismiss}
        />
      )}
      <Launcher
        button={launcher}
        open={open}
        unread={unreadOf(client)}
        label={look.label}
        words={speech.words}
        onToggle={() => toggle(!open)}
      />
      <div class="tw-hidden" aria-live="polite">
        {incoming !== null && `${nameOf(incoming.message.author)}: ${incoming.message.text}`}
      </div>
    </div>
  );
}

/** Hides the launcher until its colour is known, so that it never changes before the shopper's eyes. */
function useVeil(known: boolean): boolean {
  const [waited, setWaited] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setWaited(true), UNVEIL);
    return () => clearTimeout(timer);
  }, []);
  return !known && !waited;
}

function unreadOf(client: VisitorClient): number {
  const current = client.conversation(client.current)?.unread ?? 0;
  return client.conversations.reduce((sum, { id, unread }) => (id === client.current ? sum : sum + unread), current);
}
