/** A modal sheet over the console, by the browser's own dialog: it keeps the focus inside and gives it back. */
import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface OverlayProps {
  readonly label: string;
  readonly className: string;
  readonly testid: string;
  readonly children: ComponentChildren;
  onClose(): void;
}

export function Overlay({ label, className, testid, children, onClose }: OverlayProps): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  return (
    // A click beside the sheet reaches the dialog itself; Esc is the dialog's own "cancel".
    <dialog
      ref={dialog}
      class={`overlay ${className}`}
      aria-label={label}
      onCancel={onClose}
      onPointerDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
      data-testid={testid}
    >
      <div class="overlay-sheet">{children}</div>
    </dialog>
  );
}
