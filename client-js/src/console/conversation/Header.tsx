/** Above a conversation: who it is with, how they are connected, and what can be done. */
import type { VNode } from "preact";
import type { AgentClient, Summary } from "../../core/api.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { BackIcon, CheckCircleIcon, PanelIcon, ReopenIcon } from "../../ui/icons.tsx";
import { visitorName } from "../../ui/people.ts";
import { AssignMenu } from "./AssignMenu.tsx";
import { TransportChip } from "./TransportChip.tsx";

interface HeaderProps {
  readonly client: AgentClient;
  readonly summary: Summary;
  readonly assigning: boolean;
  readonly detailed: boolean;
  onAssigning(open: boolean): void;
  onDetails(open: boolean): void;
  onToggleStatus(): void;
  onBack(): void;
}

export function Header(props: HeaderProps): VNode {
  const { summary } = props;
  const open = summary.status === "open";
  const name = visitorName(summary.visitor);
  return (
    <header class="bar conversation-bar">
      <button type="button" class="icon-button only-narrow" aria-label="Back to the inbox" onClick={props.onBack}>
        <BackIcon size={22} />
      </button>
      <Avatar id={summary.visitor.id} name={name} presence={summary.presence.state} />
      <div class="conversation-who">
        <h2 data-testid="conversation-name">
          <bdi>{name}</bdi>
        </h2>
        <p>
          {summary.presence.state !== "offline" && (
            <span class="conversation-state">{summary.presence.state === "online" ? "Online" : "Away"}</span>
          )}
          <TransportChip presence={summary.presence} />
        </p>
      </div>
      <AssignMenu client={props.client} summary={summary} open={props.assigning} onOpen={props.onAssigning} />
      <button
        type="button"
        class={open ? "button-quiet" : "button-quiet button-reopen"}
        title={open ? "Close the conversation (E)" : "Open the conversation again (E)"}
        onClick={props.onToggleStatus}
        data-testid="status-button"
        data-status={summary.status}
      >
        {open ? <CheckCircleIcon size={17} /> : <ReopenIcon size={17} />}
        <span class="wide-only">{open ? "Close" : "Reopen"}</span>
      </button>
      <button
        type="button"
        class="icon-button details-toggle"
        aria-label="Details"
        title="Details"
        aria-expanded={props.detailed}
        onClick={() => props.onDetails(!props.detailed)}
        data-testid="details-button"
      >
        <PanelIcon size={20} />
      </button>
    </header>
  );
}
