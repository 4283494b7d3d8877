/** The top of the panel: the shop, its agents, whether somebody is there, and the way out. */
import type { VNode } from "preact";
import type { Person, VisitorClient } from "../core/api.ts";
import { Avatar } from "../ui/Avatar.tsx";
import type { Messages } from "../ui/i18n/index.ts";
import { BackIcon, ChevronDownIcon, CloseIcon, ListIcon } from "../ui/icons.tsx";

/** Faces shown. */
const FACES = 3;

interface HeaderProps {
  readonly client: VisitorClient;
  readonly words: Messages;
  readonly small: boolean;
  readonly listing: boolean;
  onList(listing: boolean): void;
  onClose(): void;
}

export function Header({ client, words, small, listing, onList, onClose }: HeaderProps): VNode {
  const agents = byPresence(client);
  const online = agents.some((agent) => client.presenceOf(agent.id).state === "online");
  const several = client.conversations.length > 1;
  return (
    <header class="header">
      {listing ? (
        <button type="button" class="header-button" aria-label={words.timeline} onClick={() => onList(false)}>
          <BackIcon size={22} />
        </button>
      ) : (
        agents.length > 0 && (
          <span class="faces">
            {agents.slice(0, FACES).map((agent) => (
              <Avatar key={agent.id} id={agent.id} name={agent.name} presence={client.presenceOf(agent.id).state} />
            ))}
          </span>
        )
      )}
      <span class="header-text">
        <h2 class="header-title">{listing ? words.conversations : client.shop?.name}</h2>
        {!listing && (
          <span class="header-status" data-online={online} data-testid="agents-presence">
            {online ? words.online : words.away}
          </span>
        )}
      </span>
      {several && !listing && (
        <button
          type="button"
          class="header-button"
          aria-label={words.conversations}
          title={words.conversations}
          onClick={() => onList(true)}
          data-testid="conversations-button"
        >
          <ListIcon size={22} />
        </button>
      )}
      <button
        type="button"
        class="header-button"
        aria-label={words.closeChat}
        title={words.closeChat}
        onClick={onClose}
        data-testid="close-button"
      >
        {small ? <CloseIcon size={22} /> : <ChevronDownIcon size={22} />}
      </button>
    </header>
  );
}

/** Who is there first. */
export function byPresence(client: VisitorClient): Person[] {
  const rank = (person: Person): number => (client.presenceOf(person.id).state === "online" ? 0 : 1);
  return [...client.people.values()].sort((one, other) => rank(one) - rank(other));
}
