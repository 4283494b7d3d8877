/**
 * The custom element `<tradewind-chat shop server language>`: makes a client, draws the widget into a shadow root, and
 * follows the page's language. Leaves nothing behind when it is taken out of the page.
 */
import { render } from "preact";
import type { VisitorClient } from "../core/api.ts";
import { createVisitorClient } from "../core/index.ts";
import { type Speech, speak } from "../ui/i18n/index.ts";
import { keepOpen, readOpen } from "./memory.ts";
import { widgetSheet } from "./sheet.ts";
import { isSmallScreen } from "./useFullScreen.ts";
import { Widget } from "./Widget.tsx";

export class TradewindChat extends HTMLElement {
  static readonly observedAttributes = ["shop", "server", "language"];

  #client: VisitorClient | null = null;
  #identity: string | null = null;
  #open = false;
  #restored = false;
  readonly #root = this.attachShadow({ mode: "open" });
  readonly #pageLanguage = new MutationObserver(() => this.#draw());

  connectedCallback(): void {
    this.#root.adoptedStyleSheets = [widgetSheet()];
    this.#pageLanguage.observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
    // A chat that is open goes along to the shop's next page; over a whole small screen it would be in the way.
    this.#restored = !isSmallScreen() && readOpen();
    this.#open ||= this.#restored;
    this.#connect();
  }

  disconnectedCallback(): void {
    this.#pageLanguage.disconnect();
    this.#disconnect();
    render(null, this.#root);
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (!this.isConnected || before === after) return;
    if (name === "language") this.#draw();
    else this.#connect();
  }

  open(): void {
    this.#show(true);
  }

  close(): void {
    this.#show(false);
  }

  /** Tells who the visitor is, by a JWT that the shop signed. */
  identify(jwt: string): void {
    this.#identity = jwt;
    if (this.isConnected) this.#connect();
  }

  get #server(): string {
    return (this.getAttribute("server") ?? location.origin).replace(/\/+$/, "");
  }

  #connect(): void {
    this.#disconnect();
    const shop = this.getAttribute("shop");
    if (shop === null || shop === "") throw new Error('<tradewind-chat> needs the attribute shop="…"');
    const client = createVisitorClient({
      server: this.#server,
      shop,
      language: this.#speech().locale,
      ...(this.#identity === null ? {} : { identity: this.#identity }),
    });
    this.#client = client;
    this.#draw();
    void client.start();
  }

  #disconnect(): void {
    this.#client?.stop();
    this.#client = null;
  }

  #show(open: boolean): void {
    this.#open = open;
    this.#restored = false;
    keepOpen(open);
    this.#draw();
  }

  #speech(): Speech {
    return speak([this.getAttribute("language"), document.documentElement.lang, ...navigator.languages]);
  }

  #draw(): void {
    if (this.#client === null) return;
    render(
      <Widget
        client={this.#client}
        server={this.#server}
        shop={this.getAttribute("shop") ?? ""}
        speech={this.#speech()}
        open={this.#open}
        restored={this.#restored}
        onOpen={(open) => this.#show(open)}
      />,
      this.#root,
    );
  }
}
