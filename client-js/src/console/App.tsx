/** Sign-in, or the desk: whichever the agent's session asks for. */
import type { VNode } from "preact";
import { useEffect, useLayoutEffect } from "preact/hooks";
import type { AgentClient } from "../core/api.ts";
import { useClient, useTheme } from "../ui/hooks.ts";
import { Desk } from "./Desk.tsx";
import { usePreferences } from "./preferences.ts";
import { SignIn } from "./SignIn.tsx";

interface AppProps {
  readonly client: AgentClient;
  readonly server: string;
}

export function App({ client, server }: AppProps): VNode {
  useClient(client);
  const [preferences, prefer] = usePreferences();
  const theme = useTheme(preferences.theme);
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = theme;
    document.documentElement.classList.add("tw-root");
  }, [theme]);
  useEffect(() => {
    if (client.signedIn) void client.start();
  }, [client]);

  if (!client.signedIn || client.link.phase === "signed-out") return <SignIn client={client} server={server} />;
  return <Desk client={client} preferences={preferences} prefer={prefer} />;
}
