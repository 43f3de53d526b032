// The server, as the page talks to it. Nothing is kept in the browser but in the memory of this page.

/** Why a request was not answered. */
export class Refusal extends Error {
  constructor(code, message, causes = []) {
    super(message);
    this.code = code;
    this.causes = causes;
  }
}

export const state = { session: null, workspace: null };

/** The address of something in the workspace that is shown. */
export function address(...parts) {
  const path = parts.map((part) => encodeURIComponent(part)).join("/");
  return `/api/${path}?workspace=${encodeURIComponent(state.workspace ?? "")}`;
}

/** The parts that name an order. */
export const orderParts = (order) => ["orders", order.service, order.plural, order.namespace, order.name];

/** Asks, and gives the answer; throws a Refusal. */
export async function ask(method, url, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET" && state.session) headers["x-csrf-token"] = state.session.csrf;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refusal(0, "The server cannot be reached. Try again in a moment.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401 && state.session) document.dispatchEvent(new CustomEvent("signed-out"));
  throw new Refusal(response.status, answer.message ?? `The server answered ${response.status}.`, answer.causes ?? []);
}
