/** The demo shop's few moves: change the language, fill the basket, open the chat. The chat itself is the widget's. */
import { TEXTS, type Texts } from "./texts.ts";

declare global {
  interface Window {
    Tradewind?: { open(): void; close(): void; identify(jwt: string): void };
  }
}

const RIGHT_TO_LEFT = ["ar"];
const KEY = "harbour:language";

function speak(language: string): void {
  const texts = TEXTS[language];
  if (texts === undefined) return;
  // The widget watches the page's language and follows it.
  document.documentElement.lang = language;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(language) ? "rtl" : "ltr";
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = texts[element.dataset.text as keyof Texts];
  }
  const price = new Intl.NumberFormat(language, { style: "currency", currency: "EUR", maximumFractionDigits: 0 });
  for (const element of document.querySelectorAll("data")) element.textContent = price.format(Number(element.value));
}

function languageOfVisit(): string {
  const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem(KEY);
  const wishes = [asked, ...navigator.languages].map((tag) => tag?.split("-")[0] ?? "");
  return wishes.find((tag) => Object.hasOwn(TEXTS, tag)) ?? "en";
}

const select = document.querySelector("select");
const basket = document.querySelector("output");
if (select !== null) {
  select.value = languageOfVisit();
  speak(select.value);
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    speak(select.value);
  });
}
for (const button of document.querySelectorAll(".buy button")) {
  button.addEventListener("click", () => {
    if (basket !== null) basket.value = String(Number(basket.value) + 1);
  });
}
document.querySelector("#ask")?.addEventListener("click", () => window.Tradewind?.open());
