/**
 * The REST calls of docs/protocol.md, section 12: sign-in and where to connect.
 *
 * What holds always: every call ends within TIMEOUT, with a value or a RestError.
 * May import: carrier's types.
 */

import type { Connect } from "./carrier.ts";

export const TIMEOUT = 10_000;

/** `status` 0: the server could not be reached. */
export class RestError extends Error {
  override readonly name = "RestError";
  readonly status: number;
  readonly code: string;
  /** Milliseconds, when the server says when to try again. */
  readonly retryAfter: number | null;

  constructor(status: number, code: string, message: string, retryAfter: number | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** Trying the same again later makes sense. */
  get passing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export interface ShopJson {
  id: string;
  name: string;
  settings?: Record<string, unknown>;
}

export interface VisitorSession {
  token: string;
  /** Unix milliseconds. */
  expires_at: number;
  visitor: string;
  shop: ShopJson;
  connect: Connect;
}

export interface AgentJson {
  id: string;
  name: string;
  email: string;
  role: string;
  shop: string;
}

export interface AgentSession {
  token: string;
  expires_at: number;
  agent: AgentJson;
  connect: Connect;
}

export class Rest {
  readonly #server: string;
  readonly #fetch: typeof fetch;

  constructor(server: string, fetcher: typeof fetch) {
    this.#server = server.replace(/\/+$/, "");
    this.#fetch = fetcher;
  }

  visitorSession(body: {
    shop: string;
    token?: string;
    identity?: string;
    language?: string;
    page?: string;
  }): Promise<VisitorSession> {
    return this.#call("POST", "/v1/visitor/session", body);
  }

  agentSession(email: string, password: string): Promise<AgentSession> {
    return this.#call("POST", "/v1/agent/session", { email, password });
  }

  refreshAgent(token: string): Promise<AgentSession> {
    return this.#call("POST", "/v1/agent/session/refresh", {}, token);
  }

  connect(): Promise<Connect> {
    return this.#call("GET", "/v1/connect");
  }

  async #call<T>(method: string, path: string, body?: object, token?: string): Promise<T> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["content-type"] = "application/json";
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT);
    try {
      const response = await this.#fetch(this.#server + path, {
        method,
        headers,
        signal: abort.signal,
        // The token travels in the header or the body: no cookie, ever.
        credentials: "omit",
        cache: "no-store",
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw await errorOf(response);
      return (await response.json()) as T;
    } catch (error) {
      if (error instanceof RestError) throw error;
      throw new RestError(0, "unreachable", "The server cannot be reached. Check the network and try again.");
    } finally {
      clearTimeout(timer);
    }
  }
}

async function errorOf(response: Response): Promise<RestError> {
  const body = (await response.json().catch(() => null)) as { code?: string; message?: string } | null;
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new RestError(
    response.status,
    body?.code ?? "error",
    body?.message ?? `The server answered ${response.status}.`,
    Number.isFinite(seconds) ? seconds * 1000 : null,
  );
}
