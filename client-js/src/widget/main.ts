/**
 * What a shop embeds: `<script async src="https://chat.example/widget.js" data-shop="demo"></script>`. Defines the element, puts
 * one into the page when the script names a shop, and is `window.Tradewind` to the page's own scripts.
 */
import { TradewindChat } from "./element.tsx";

const TAG = "tradewind-chat";
const script = document.currentScript;

/** A second copy of the script must neither throw nor add a second widget. */
if (customElements.get(TAG) === undefined) {
  customElements.define(TAG, TradewindChat);
  if (script instanceof HTMLScriptElement && script.dataset.shop !== undefined) whenBody(() => embed(script));
}

function embed(from: HTMLScriptElement): void {
  if (document.querySelector(TAG) !== null) return;
  const element = document.createElement(TAG);
  element.setAttribute("shop", from.dataset.shop ?? "");
  element.setAttribute("server", from.dataset.server ?? new URL(from.src, location.href).origin);
  if (from.dataset.language !== undefined) element.setAttribute("language", from.dataset.language);
  document.body.append(element);
}

function whenBody(run: () => void): void {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", run, { once: true });
  else run();
}

const chat = (): TradewindChat | null => {
  const found = document.querySelector(TAG);
  return found instanceof TradewindChat ? found : null;
};

export function open(): void {
  chat()?.open();
}

export function close(): void {
  chat()?.close();
}

/** Tells who the visitor is, by a JWT that the shop's server signed. */
export function identify(jwt: string): void {
  chat()?.identify(jwt);
}
