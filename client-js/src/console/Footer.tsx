/** Below the inbox: the agent's own menu and the state of the link. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { AgentClient } from "../core/api.ts";
import { Avatar } from "../ui/Avatar.tsx";
import type { ThemeChoice } from "../ui/hooks.ts";
import { BellIcon, KeyboardIcon, SignOutIcon, SoundIcon } from "../ui/icons.tsx";
import { chime } from "./alerts/sound.ts";
import { allowNotifications, notificationsBlocked } from "./alerts/useAlerts.ts";
import { Menu, MenuItem } from "./parts/Menu.tsx";
import type { Prefer, Preferences } from "./preferences.ts";
import { linkText } from "./transports.ts";

interface FooterProps {
  readonly client: AgentClient;
  readonly preferences: Preferences;
  readonly prefer: Prefer;
  onHelp(): void;
}

export function Footer(props: FooterProps): VNode {
  const { client } = props;
  const name = client.agent?.name ?? "You";
  const [open, setOpen] = useState(false);
  return (
    <footer class="desk-footer">
      <Menu
        label="Your menu"
        className="me"
        place="above"
        open={open}
        onOpen={setOpen}
        testid="me-button"
        button={
          <>
            <Avatar
              id={client.me ?? ""}
              name={name}
              size="small"
              presence={client.link.phase === "live" ? "online" : "offline"}
            />
            <span class="me-name">{name}</span>
          </>
        }
      >
        <Settings {...props} onDone={() => setOpen(false)} />
      </Menu>
      <LinkPill client={client} />
    </footer>
  );
}

function LinkPill({ client }: { readonly client: AgentClient }): VNode {
  const { link } = client;
  const text = linkText(link);
  const down = link.phase === "reconnecting" || link.phase === "stopped";
  return (
    <button
      type="button"
      class="link-pill"
      disabled={!down}
      title={down ? "Try now" : "Your own connection"}
      onClick={() => client.retryNow()}
      data-phase={link.phase}
      data-transport={link.phase === "live" ? link.transport : ""}
      data-testid="link-pill"
    >
      {text}
      {down && <b>Try now</b>}
    </button>
  );
}

const THEMES: readonly (readonly [ThemeChoice, string])[] = [
  ["auto", "Auto"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function Settings(props: FooterProps & { onDone(): void }): VNode {
  const { client, preferences, prefer, onDone } = props;
  const toggleSound = (): void => {
    prefer({ sound: !preferences.sound });
    if (!preferences.sound) chime();
  };
  const toggleNotifications = async (): Promise<void> => {
    prefer({ notifications: !preferences.notifications && (await allowNotifications()) });
  };
  return (
    <>
      <div class="me-card">
        <strong>{client.agent?.name}</strong>
        <span>{client.agent?.email}</span>
      </div>
      <fieldset class="themes" aria-label="Theme">
        {THEMES.map(([theme, name]) => (
          <button
            type="button"
            key={theme}
            role="menuitemradio"
            aria-checked={preferences.theme === theme}
            onClick={() => prefer({ theme })}
            data-testid={`theme-${theme}`}
          >
            {name}
          </button>
        ))}
      </fieldset>
      <Toggle on={preferences.sound} onToggle={toggleSound} testid="toggle-sound">
        <SoundIcon size={18} />
        <span>Sound</span>
      </Toggle>
      <Toggle on={preferences.notifications} onToggle={toggleNotifications} testid="toggle-notifications">
        <BellIcon size={18} />
        <span>Desktop notifications{notificationsBlocked() && <small>blocked in the browser’s settings</small>}</span>
      </Toggle>
      <hr />
      <MenuItem
        onPick={() => {
          onDone();
          props.onHelp();
        }}
        testid="help-button"
      >
        <KeyboardIcon size={18} />
        <span>Keyboard shortcuts</span>
        <kbd>?</kbd>
      </MenuItem>
      <MenuItem onPick={() => client.signOut()} testid="sign-out">
        <SignOutIcon size={18} />
        <span>Sign out</span>
      </MenuItem>
    </>
  );
}

interface ToggleProps {
  readonly on: boolean;
  readonly testid: string;
  readonly children: VNode[];
  onToggle(): void;
}

function Toggle({ on, testid, children, onToggle }: ToggleProps): VNode {
  return (
    <button
      type="button"
      class="menu-item"
      role="menuitemcheckbox"
      aria-checked={on}
      tabIndex={-1}
      onClick={onToggle}
      data-testid={testid}
    >
      {children}
      <i class="switch" />
    </button>
  );
}
