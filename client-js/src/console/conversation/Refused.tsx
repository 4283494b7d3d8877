/** Says that something did not happen, and why, until it is read. */
import type { VNode } from "preact";
import type { AgentClient } from "../../core/api.ts";
import { CloseIcon } from "../../ui/icons.tsx";
import { refusalInWords } from "../sentence.ts";

export function Refused({ client, id }: { readonly client: AgentClient; readonly id: string }): VNode | null {
  const { refusal } = client;
  if (refusal?.conversation !== id) return null;
  return (
    <div class="refused" role="alert" data-testid="refused">
      <span>{refusalInWords(refusal)}</span>
      <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => client.dismissRefusal()}>
        <CloseIcon size={18} />
      </button>
    </div>
  );
}
