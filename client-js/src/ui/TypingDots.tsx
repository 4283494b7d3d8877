/** Three dots that breathe while somebody writes; still where less motion is wished for. */
import type { VNode } from "preact";

export function TypingDots({ label }: { readonly label: string }): VNode {
  return (
    <span class="tw-dots" role="img" aria-label={label} title={label}>
      <span />
      <span />
      <span />
    </span>
  );
}
