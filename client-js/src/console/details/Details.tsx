/** Who the visitor is and what is known about the conversation. */
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import type { AgentClient, Summary } from "../../core/api.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { BackIcon, CopyIcon, StarIcon, TickIcon } from "../../ui/icons.tsx";
import { visitorName } from "../../ui/people.ts";
import { fullTime } from "../../ui/time.ts";
import { TransportChip } from "../conversation/TransportChip.tsx";
import { LOCALE } from "../speech.ts";
import { transportMeaning } from "../transports.ts";

const COPIED = 1_500;

interface DetailsProps {
  readonly client: AgentClient;
  readonly summary: Summary;
  onClose(): void;
}

export function Details({ client, summary, onClose }: DetailsProps): VNode {
  const { visitor, presence } = summary;
  const assignee = summary.assignee === null ? undefined : client.people.get(summary.assignee);
  return (
    <aside class="details" aria-label="Details" data-testid="details">
      <header class="bar">
        <button type="button" class="icon-button details-back" aria-label="Close the details" onClick={onClose}>
          <BackIcon size={22} />
        </button>
        <h2>Details</h2>
      </header>
      <div class="details-body">
        <div class="details-who">
          <Avatar id={visitor.id} name={visitorName(visitor)} size="large" presence={presence.state} />
          <h3 dir="auto">{visitorName(visitor)}</h3>
          {visitor.email && <Copyable text={visitor.email} />}
        </div>
        <Section title="Connection">
          <TransportChip presence={presence} />
          <p class="details-hint">
            {presence.transport === null ? "Messages wait for the visitor." : transportMeaning(presence.transport)}
          </p>
        </Section>
        <Section title="Visitor">
          <dl>
            <Fact name="Language">{languageName(visitor.language)}</Fact>
            <Fact name="Page">{visitor.page !== undefined && <PageLink page={visitor.page} />}</Fact>
          </dl>
        </Section>
        <Section title="Conversation">
          <dl>
            <Fact name="Status">{summary.status === "open" ? "Open" : "Closed"}</Fact>
            <Fact name="Assigned to">{assignee?.name ?? "Nobody"}</Fact>
            <Fact name="Started">{fullTime(summary.createdAt, LOCALE)}</Fact>
            <Fact name="Last activity">{fullTime(summary.updatedAt, LOCALE)}</Fact>
            <Fact name="Rating">{summary.rating !== null && <Rating score={summary.rating} />}</Fact>
            <Fact name="Reference">
              <Copyable text={summary.id} short />
            </Fact>
          </dl>
        </Section>
      </div>
    </aside>
  );
}

function Section({ title, children }: { readonly title: string; readonly children: ComponentChildren }): VNode {
  return (
    <section class="details-section">
      <h4>{title}</h4>
      {children}
    </section>
  );
}

/** A line of facts; none when there is nothing to say. */
function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }): VNode | null {
  if (children === null || children === false || children === "") return null;
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Rating({ score }: { readonly score: number }): VNode {
  return (
    <span class="details-rating" role="img" aria-label={`${score} of 5`}>
      {[1, 2, 3, 4, 5].map((value) => (
        <StarIcon key={value} size={15} full={value <= score} />
      ))}
    </span>
  );
}

/** Only pages of the web become links; the visitor's browser says what it likes. */
function PageLink({ page }: { readonly page: string }): VNode {
  const url = URL.canParse(page) ? new URL(page) : null;
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return <span>{page}</span>;
  return (
    <a href={url.href} target="_blank" rel="noopener noreferrer" title={url.href}>
      {url.pathname === "/" ? url.host : url.pathname}
    </a>
  );
}

function Copyable({ text, short = false }: { readonly text: string; readonly short?: boolean }): VNode {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED);
  };
  return (
    <button type="button" class="copyable" title={`Copy ${text}`} onClick={copy}>
      <span>{short ? `…${text.slice(-8)}` : text}</span>
      {copied ? <TickIcon size={14} /> : <CopyIcon size={14} />}
    </button>
  );
}

function languageName(tag: string | undefined): string {
  if (tag === undefined || tag === "") return "";
  try {
    return new Intl.DisplayNames([LOCALE], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}
