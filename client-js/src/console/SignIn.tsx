/** The agent's way in. A demo server tells its login, and this page shows it as a hint. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { AgentClient, LinkState } from "../core/api.ts";
import { AlertIcon } from "../ui/icons.tsx";
import { Logo } from "./parts/Logo.tsx";
import { sentence } from "./sentence.ts";

interface DemoLogin {
  readonly email: string;
  readonly password: string;
}

interface SignInProps {
  readonly client: AgentClient;
  readonly server: string;
}

export function SignIn({ client, server }: SignInProps): VNode {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(whyHere(client.link));
  const demo = useDemoLogin(server);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await client.signIn(email.trim(), password);
    } catch (error) {
      setProblem(error instanceof Error ? sentence(error.message) : "Signing in failed. Please try again.");
      setBusy(false);
    }
  };

  return (
    <main class="signin">
      <form class="signin-card" onSubmit={submit} data-testid="signin">
        <Logo size={44} />
        <h1>Sign in to Tradewind</h1>
        <p class="signin-lead">Your customers are a message away.</p>
        {problem !== "" && (
          <p class="signin-problem" role="alert" data-testid="signin-error">
            <AlertIcon size={18} /> {problem}
          </p>
        )}
        <label>
          <span>Email</span>
          <input
            type="email"
            name="email"
            autocomplete="username"
            required
            value={email}
            onInput={(event) => setEmail(event.currentTarget.value)}
            data-testid="signin-email"
          />
        </label>
        <label>
          <span>Password</span>
          <input
            type="password"
            name="password"
            autocomplete="current-password"
            required
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
            data-testid="signin-password"
          />
        </label>
        <button type="submit" class="button-strong" disabled={busy} data-testid="signin-submit">
          {busy ? "Signing in…" : "Sign in"}
        </button>
        {demo !== null && (
          <div class="signin-demo" data-testid="signin-demo">
            <p>
              This is a demo. Sign in as <code>{demo.email}</code> with the password <code>{demo.password}</code>.
            </p>
            <button
              type="button"
              onClick={() => {
                setEmail(demo.email);
                setPassword(demo.password);
              }}
              data-testid="signin-demo-fill"
            >
              Fill in
            </button>
          </div>
        )}
      </form>
    </main>
  );
}

/** Somebody who signed out knows why they are here; somebody whose session ended is told. */
const whyHere = (link: LinkState): string =>
  link.phase === "signed-out" && link.reason !== "" ? "Your session has ended. Please sign in again." : "";

function useDemoLogin(server: string): DemoLogin | null {
  const [demo, setDemo] = useState<DemoLogin | null>(null);
  useEffect(() => {
    const leave = new AbortController();
    askDemo(server, leave.signal).then(setDemo, () => setDemo(null));
    return () => leave.abort();
  }, [server]);
  return demo;
}

async function askDemo(server: string, signal: AbortSignal): Promise<DemoLogin | null> {
  const response = await fetch(`${server}/v1/demo`, { signal });
  if (!response.ok) return null;
  const login = (await response.json()) as Partial<DemoLogin>;
  const { email, password } = login;
  return typeof email === "string" && typeof password === "string" ? { email, password } : null;
}
