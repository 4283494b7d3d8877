/** What stands above the first message: faces and a kind word. */
import type { VNode } from "preact";
import type { VisitorClient } from "../core/api.ts";
import { Avatar } from "../ui/Avatar.tsx";
import type { Messages } from "../ui/i18n/index.ts";
import { byPresence } from "./Header.tsx";

const FACES = 4;

interface GreetingProps {
  readonly client: VisitorClient;
  readonly words: Messages;
  readonly text: string | null;
}

export function Greeting({ client, words, text }: GreetingProps): VNode {
  return (
    <div class="greeting" data-testid="greeting">
      <span class="faces faces-large">
        {byPresence(client)
          .slice(0, FACES)
          .map((agent) => (
            <Avatar key={agent.id} id={agent.id} name={agent.name} presence={client.presenceOf(agent.id).state} />
          ))}
      </span>
      <p class="greeting-title" dir="auto">
        {text ?? words.greeting}
      </p>
      {text === null && <p class="greeting-hint">{words.greetingHint}</p>}
    </div>
  );
}
