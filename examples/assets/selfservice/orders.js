// Orders: the list of them, and one of them as it comes, lives and goes.

import { address, ask, orderParts, state } from "./api.js";
import { h, newId, say, time, trouble, words } from "./dom.js";

/** The state of an order in a word, and how it looks. */
export function standing(order) {
  if (order.deleting) return { word: "Being deleted", look: "busy" };
  if (order.ready === "True") return { word: "Ready", look: "good" };
  if (order.ready === "False" && ["Failed", "Blocked", "Degraded"].includes(order.phase)) return { word: order.phase, look: "bad" };
  return { word: order.phase || "Accepted", look: "busy" };
}

function badge(order) {
  const { word, look } = standing(order);
  return h("span", { class: `badge ${look}` }, h("span", { class: "dot", "aria-hidden": "true" }), word);
}

export const orderLink = (order) => `#/${orderParts(order).map(encodeURIComponent).join("/")}`;

/** All orders of the workspace. */
export async function ordersView() {
  const { orders, refused } = await ask("GET", address("orders"));
  const head = ["Name", "Kind", "Namespace", "State", "Since"];
  const table = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Orders, as a table" },
    h("table", {},
      h("caption", { class: "unseen" }, `Orders in ${state.workspace}`),
      h("thead", {}, h("tr", {}, head.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, orders.map((order) => h("tr", {},
        h("th", { scope: "row" }, h("a", { href: orderLink(order) }, order.name)),
        h("td", {}, order.kind), h("td", {}, order.namespace === "-" ? "–" : order.namespace),
        h("td", {}, badge(order)), h("td", {}, time(order.created)))))));
  return {
    title: "Orders",
    content: [
      refused.length ? h("p", { class: "notice" }, `You may not list: ${refused.join(", ")}.`) : null,
      orders.length ? table : h("p", { class: "empty" }, "Nothing is ordered here yet. ", h("a", { href: "#/catalog" }, "Go to the catalog"), "."),
    ],
  };
}

/** One order, followed until the view is left. */
export async function orderView(parts) {
  const own = ["orders", ...parts];
  let order = await ask("GET", address(...own));
  let told = "";
  const box = h("div", { class: "order" });
  const secrets = credentials(own);
  const actions = h("div", { class: "actions" }, h("button", { type: "button", class: "danger", click: () => remove() }, "Delete this order"));

  const show = () => {
    const { word } = standing(order);
    const facts = Object.entries(order.facts);
    const spec = Object.entries(order.spec ?? {});
    const definitions = (pairs) => h("dl", { class: "facts" }, pairs.map(([name, value]) => h("div", {},
      h("dt", {}, words(name)), h("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)))));
    box.replaceChildren(
      h("div", { class: "state" }, badge(order), h("p", {}, order.message || (word === "Ready" ? "Everything is in place." : "Work is under way."))),
      word === "Ready" || standing(order).look === "bad" ? "" : h("div", { class: "progress", "aria-hidden": "true" }, h("span", {})),
      h("h2", {}, "Ordered"), definitions([["kind", order.kind], ["namespace", order.namespace], ...spec]),
      facts.length ? h("h2", {}, "Delivered") : "", facts.length ? definitions(facts) : "",
      order.conditions.length ? h("h2", {}, "Conditions") : "",
      order.conditions.length ? h("ul", { class: "conditions" }, order.conditions.map((condition) => h("li", {},
        h("strong", {}, condition.type), ` is ${condition.status}`, condition.reason && condition.reason !== condition.type ? ` (${condition.reason})` : "",
        condition.message ? `: ${condition.message}` : ""))) : "");
    secrets.offer(order.ready === "True" && !order.deleting);
    const news = `${order.name}: ${word}. ${order.message ?? ""}`;
    if (news !== told) say(news);
    told = news;
  };
  const gone = () => {
    secrets.hide();
    secrets.offer(false);
    actions.replaceChildren();
    box.replaceChildren(h("p", { class: "notice" }, "This order is gone. Everything of it was released. ",
      h("a", { href: "#/orders" }, "Back to the orders"), "."));
    say(`${order.name} is gone.`);
  };
  const remove = async () => {
    const isSure = await confirm(`Delete ${order.name}?`, "The order and everything it delivered are deleted. This cannot be undone.", "Delete");
    if (!isSure) return;
    try {
      await ask("DELETE", `${address(...own)}&uid=${encodeURIComponent(order.uid)}`);
      say(`${order.name} is being deleted.`);
    } catch (refusal) {
      actions.prepend(trouble(refusal.message));
    }
  };
  show();
  const source = new EventSource(address(...own, "events"));
  source.addEventListener("order", (event) => {
    order = JSON.parse(event.data);
    show();
  });
  source.addEventListener("gone", () => {
    source.close();
    gone();
  });
  source.addEventListener("error", async () => {
    // The browser tries again by itself, unless it was refused; then the reason is asked for.
    if (source.readyState !== EventSource.CLOSED) return;
    try {
      order = await ask("GET", address(...own));
      show();
      actions.prepend(trouble("News of this order do not arrive any more. Load the page again to see how it is."));
    } catch (refusal) {
      if (refusal.code === 404) gone();
    }
  });
  return {
    title: `${order.kind} ${order.name}`,
    content: [h("p", { class: "back" }, h("a", { href: "#/orders" }, "All orders")), box, secrets.element, actions],
    leave: () => {
      source.close();
      secrets.hide();
    },
  };
}

/** The credentials of an order: shown when asked for, once each time, and never kept. */
function credentials(own) {
  const titleId = newId("credentials");
  const box = h("div", {});
  const button = h("button", { type: "button", class: "main", click: () => reveal() }, "Show the credentials once");
  const element = h("section", { class: "credentials", "aria-labelledby": titleId, hidden: true },
    h("h2", { id: titleId }, "Credentials"),
    h("p", {}, "They are fetched when you ask for them, and shown until you hide them or leave this view."), box, button);
  const hide = () => {
    box.replaceChildren();
    button.hidden = false;
  };
  const reveal = async () => {
    try {
      await ask("POST", address(...own, "credentials", "reveal"));
      const { secret, values } = await ask("GET", address(...own, "credentials"));
      const close = h("button", { type: "button", class: "quiet", click: () => {
        hide();
        say("Credentials hidden.");
        button.focus();
      } }, "Hide the credentials");
      const list = h("dl", { class: "facts secret", tabindex: "-1", "aria-label": `Content of the Secret ${secret}` }, values.map(({ key, value, bytes }) => h("div", {},
        h("dt", {}, key), h("dd", {}, h("code", {}, value ?? `${bytes} bytes that are no text`),
          value === undefined ? null : h("button", { type: "button", class: "quiet small", click: () => copy(key, value) },
            "Copy", h("span", { class: "unseen" }, ` ${key}`))))));
      box.replaceChildren(h("div", { class: "revealed" }, list, close));
      button.hidden = true;
      say("Credentials shown.");
      close.focus();
    } catch (refusal) {
      const message = refusal.code === 404 ? "They have not arrived yet. Try again in a moment." : refusal.message;
      box.replaceChildren(trouble(message));
    }
  };
  const copy = async (key, value) => {
    try {
      await navigator.clipboard.writeText(value);
      say(`${key} copied.`);
    } catch {
      say(`The browser does not let this page copy ${key}.`);
    }
  };
  return { element, hide, offer: (isOffered) => { element.hidden = !isOffered; } };
}

/** Asks before something that cannot be undone. */
function confirm(title, text, label) {
  return new Promise((resolve) => {
    const [titleId, textId] = [newId("title"), newId("text")];
    const opener = document.activeElement;
    const dialog = h("dialog", { "aria-labelledby": titleId, "aria-describedby": textId },
      h("form", { method: "dialog" },
        h("h2", { id: titleId }, title), h("p", { id: textId }, text),
        h("div", { class: "actions" },
          h("button", { value: "no", class: "quiet", autofocus: true }, "Keep it"),
          h("button", { value: "yes", class: "danger" }, label))));
    dialog.addEventListener("close", () => {
      const isSure = dialog.returnValue === "yes";
      dialog.remove();
      if (opener?.isConnected) opener.focus();
      resolve(isSure);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
