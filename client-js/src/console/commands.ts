/** The commands of the palette, from what is open and loaded. */
import type { AgentClient, Summary } from "../core/api.ts";
import { visitorName } from "../ui/people.ts";
import { meFirst } from "./conversation/AssignMenu.tsx";
import { FILTER_NAMES, FILTERS } from "./inbox/filter.ts";
import type { Command } from "./overlay/Palette.tsx";
import type { Prefer, Preferences } from "./preferences.ts";
import { type DeskState, goTo } from "./useDesk.ts";

interface Source {
  readonly client: AgentClient;
  readonly open: Summary | null;
  readonly preferences: Preferences;
  readonly prefer: Prefer;
  readonly change: (part: Partial<DeskState>) => void;
  look(query: string): void;
  write(mode: DeskState["mode"]): void;
  toggleStatus(): void;
}

export function commands(source: Source): Command[] {
  return [...ofConversation(source), ...places(source), ...ofConsole(source), ...conversations(source)];
}

function ofConversation({ client, open, write, toggleStatus }: Source): Command[] {
  if (open === null) return [];
  const group = "Conversation";
  return [
    { id: "reply", group, name: "Reply", keys: "R", run: () => write("reply") },
    { id: "note", group, name: "Add a note", keys: "N", run: () => write("note") },
    {
      id: "status",
      group,
      name: open.status === "open" ? "Close the conversation" : "Reopen the conversation",
      keys: "E",
      run: toggleStatus,
    },
    ...meFirst(client).map(
      (agent): Command => ({
        id: `assign-${agent.id}`,
        group,
        name: `Assign to ${agent.id === client.me ? "me" : agent.name}`,
        run: () => client.assign(open.id, agent.id),
      }),
    ),
    { id: "assign-nobody", group, name: "Take the assignment away", run: () => client.assign(open.id, null) },
  ];
}

function places({ change }: Source): Command[] {
  return FILTERS.map((filter) => ({
    id: `go-${filter}`,
    group: "Go to",
    name: FILTER_NAMES[filter],
    run: () => change({ filter, query: "" }),
  }));
}

function ofConsole({ client, preferences, prefer, change, look }: Source): Command[] {
  const group = "Console";
  return [
    { id: "search", group, name: "Search people and messages", keys: "/", run: () => look("") },
    { id: "theme-light", group, name: "Light theme", run: () => prefer({ theme: "light" }) },
    { id: "theme-dark", group, name: "Dark theme", run: () => prefer({ theme: "dark" }) },
    { id: "theme-auto", group, name: "Theme of the system", run: () => prefer({ theme: "auto" }) },
    {
      id: "sound",
      group,
      name: preferences.sound ? "Turn the sound off" : "Turn the sound on",
      run: () => prefer({ sound: !preferences.sound }),
    },
    { id: "help", group, name: "Keyboard shortcuts", keys: "?", run: () => change({ overlay: "help" }) },
    { id: "sign-out", group, name: "Sign out", run: () => client.signOut() },
  ];
}

function conversations({ client }: Source): Command[] {
  return client.inbox.map((summary) => ({
    id: `conversation-${summary.id}`,
    group: "Conversations",
    name: visitorName(summary.visitor),
    hint: summary.last?.text ?? "",
    run: () => goTo(summary.id),
  }));
}
