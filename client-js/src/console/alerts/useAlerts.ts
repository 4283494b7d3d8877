/** Calls the agent: a chime, a desktop notification, the number in the title, the dot on the page's icon. */
import { useEffect } from "preact/hooks";
import type { AgentClient, Message } from "../../core/api.ts";
import { useEvent, usePageSeen } from "../../ui/hooks.ts";
import { visitorName } from "../../ui/people.ts";
import icon from "../icon.svg?url";
import unreadIcon from "../icon-unread.svg?url";
import type { Preferences } from "../preferences.ts";
import { chime } from "./sound.ts";

interface Alerts {
  readonly client: AgentClient;
  readonly preferences: Preferences;
  readonly openId: string | null;
  onOpen(id: string): void;
}

export function useAlerts({ client, preferences, openId, onOpen }: Alerts): void {
  const seen = usePageSeen();
  const hear = useEvent((conversation: string, message: Message): void => {
    // What happens before the agent's eyes needs no call, and what colleagues write calls nobody.
    if ((seen && conversation === openId) || !message.author.startsWith("v:")) return;
    if (preferences.sound) chime();
    if (preferences.notifications && !seen) notify(client, conversation, message, onOpen);
  });
  useEffect(() => client.onMessage(hear), [client, hear]);

  const unread = client.inbox.reduce((sum, row) => sum + (row.status === "open" ? row.unread : 0), 0);
  const shop = client.shop?.name ?? "Tradewind console";
  useEffect(() => {
    document.title = unread === 0 ? shop : `(${unread}) ${shop}`;
    document.querySelector("link[rel='icon']")?.setAttribute("href", unread === 0 ? icon : unreadIcon);
  }, [unread, shop]);
}

function notify(client: AgentClient, conversation: string, message: Message, onOpen: (id: string) => void): void {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const visitor = client.inbox.find(({ id }) => id === conversation)?.visitor;
  const name = visitor === undefined ? "A visitor" : visitorName(visitor);
  const notification = new Notification(name, { body: message.text, tag: conversation });
  notification.onclick = () => {
    window.focus();
    onOpen(conversation);
    notification.close();
  };
}

export const notificationsBlocked = (): boolean => !("Notification" in window) || Notification.permission === "denied";

/** Asks the browser for leave; true when it was given. */
export async function allowNotifications(): Promise<boolean> {
  return "Notification" in window && (await Notification.requestPermission()) === "granted";
}
