/** Tradewind's mark: three lines of wind. */
import type { VNode } from "preact";

export function Logo({ size = 28 }: { readonly size?: number }): VNode {
  return (
    <svg class="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" fill="var(--tw-accent)" />
      <path
        d="M7 12.5h11.5a3.2 3.2 0 1 0-3-4.4M7 17h16.2a3.3 3.3 0 1 1-3.1 4.5M7 21.5h6.8a2.3 2.3 0 1 1-2.1 3.2"
        fill="none"
        stroke="var(--tw-on-accent)"
        stroke-width="2.3"
        stroke-linecap="round"
      />
    </svg>
  );
}
