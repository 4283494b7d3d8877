/** Hands a conversation to an agent, to oneself, or to nobody. */
import type { VNode } from "preact";
import type { AgentClient, Person, Summary } from "../../core/api.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { PersonAddIcon, PersonIcon, TickIcon } from "../../ui/icons.tsx";
import { Menu, MenuItem } from "../parts/Menu.tsx";

interface AssignMenuProps {
  readonly client: AgentClient;
  readonly summary: Summary;
  readonly open: boolean;
  onOpen(open: boolean): void;
}

export function AssignMenu({ client, summary, open, onOpen }: AssignMenuProps): VNode {
  const assignee = summary.assignee === null ? undefined : client.people.get(summary.assignee);
  const assign = (agent: string | null): void => {
    client.assign(summary.id, agent);
    onOpen(false);
  };
  return (
    <Menu
      label={assignee === undefined ? "Assign (A)" : `Assigned to ${assignee.name} (A)`}
      className="button-quiet"
      open={open}
      onOpen={onOpen}
      testid="assign-button"
      button={
        assignee === undefined ? (
          <>
            <PersonAddIcon size={17} />
            <span class="wide-only">Assign</span>
          </>
        ) : (
          <>
            <Avatar id={assignee.id} name={assignee.name} size="small" />
            <span class="wide-only">{assignee.id === client.me ? "You" : assignee.name}</span>
          </>
        )
      }
    >
      {meFirst(client).map((agent) => (
        <MenuItem
          key={agent.id}
          checked={agent.id === summary.assignee}
          onPick={() => assign(agent.id)}
          testid={`assign-${agent.id}`}
        >
          <Avatar id={agent.id} name={agent.name} size="small" presence={client.presenceOf(agent.id).state} />
          <span>{agent.id === client.me ? `${agent.name} (you)` : agent.name}</span>
          {agent.id === summary.assignee && <TickIcon size={17} />}
        </MenuItem>
      ))}
      <MenuItem checked={summary.assignee === null} onPick={() => assign(null)} testid="assign-nobody">
        <span class="menu-face">
          <PersonIcon size={16} />
        </span>
        <span>Nobody</span>
        {summary.assignee === null && <TickIcon size={17} />}
      </MenuItem>
    </Menu>
  );
}

export function meFirst(client: AgentClient): Person[] {
  const rank = (person: Person): number => (person.id === client.me ? 0 : 1);
  return [...client.people.values()].sort(
    (one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name),
  );
}
