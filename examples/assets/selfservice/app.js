// The page: who is signed in, and which view is shown.

import { Refusal, address, ask, state } from "./api.js";
import { h, newId, say, trouble } from "./dom.js";
import { field, form } from "./form.js";
import { orderLink, orderView, ordersView } from "./orders.js";
import { topologyView } from "./topology.js";

const main = document.getElementById("main");
let current = {};
let turn = 0;

/** Shows a view, and puts the focus on its heading so that it is read. */
function show({ title, content, leave }) {
  current.leave?.();
  current = { leave };
  const heading = h("h1", { tabindex: "-1" }, title);
  main.replaceChildren(heading, ...[content].flat(Infinity).filter(Boolean));
  document.title = `${title} – Self-service`;
  heading.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function showHeader() {
  const { session } = state;
  document.getElementById("nav").hidden = !session;
  document.getElementById("who").hidden = !session;
  document.getElementById("user").textContent = session?.user ?? "";
  document.getElementById("workspace").textContent = state.workspace ?? "";
}

async function route() {
  if (!state.session) return;
  const mine = ++turn;
  const parts = location.hash.replace(/^#\//, "").split("/").map((part) => decodeURIComponent(part));
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${parts[0] === "order" ? "catalog" : parts[0]}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const view = await viewOf(parts);
    if (mine === turn) show(view);
    else view.leave?.();
  } catch (error) {
    if (mine !== turn || !state.session) return;
    const message = error instanceof Refusal ? error.message : "This cannot be shown.";
    show({ title: "This did not work", content: trouble(message) });
  }
}

function viewOf([page, ...rest]) {
  if (page === "orders") return rest.length === 4 ? orderView(rest) : ordersView();
  if (page === "topology") return topologyView(openWorkspace);
  if (page === "order" && rest.length === 2) return newOrderView(rest);
  return catalogView();
}

function openWorkspace(path) {
  state.workspace = path;
  showHeader();
  say(`You work in ${path} now.`);
  if (location.hash === "#/orders") route();
  else location.hash = "#/orders";
}

/** What can be ordered. */
async function catalogView() {
  const { services } = await ask("GET", address("catalog"));
  return {
    title: "Catalog",
    content: services.length
      ? h("ul", { class: "cards" }, services.map((service) => h("li", {}, card(service))))
      : h("p", { class: "empty" }, "No service is offered to you in this workspace."),
  };
}

function card(service) {
  const titleId = newId("service");
  const action = h("div", { class: "actions" });
  const offer = () => {
    if (service.bound) {
      action.replaceChildren(...service.kinds.map((kind) => h("a", { class: "button main",
        href: `#/order/${encodeURIComponent(service.key)}/${encodeURIComponent(kind.plural)}` }, `Order a ${kind.kind}`)));
    } else if (service.mayBind) {
      action.replaceChildren(h("button", { type: "button", class: "main", click: use }, "Use this service",
        h("span", { class: "unseen" }, `: ${service.title}`)));
    } else {
      action.replaceChildren(h("p", { class: "hint" }, "You may see this service, but not use it."));
    }
  };
  const use = async () => {
    say(`${service.title} is being added to your workspace.`);
    try {
      service = await ask("POST", address("catalog", service.key, "binding"));
      offer();
      say(`${service.title} can be ordered now.`);
      action.querySelector("a")?.focus();
    } catch (refusal) {
      action.prepend(trouble(refusal.message));
    }
  };
  offer();
  const claims = service.claims.map((claim) => h("li", {}, `${claim.resource}${claim.group ? `.${claim.group}` : ""}: ${(claim.verbs ?? []).join(", ")}`));
  return h("article", { class: "card", "aria-labelledby": titleId },
    service.category ? h("p", { class: "category" }, service.category) : null,
    h("h2", { id: titleId }, service.title),
    service.description ? h("p", {}, service.description) : null,
    h("p", { class: "hint" }, `From ${service.provider}`),
    /^https?:\/\//i.test(service.documentation)
      ? h("p", {}, h("a", { href: service.documentation, rel: "noopener noreferrer" }, "Documentation")) : null,
    claims.length && !service.bound
      ? h("details", {}, h("summary", {}, "What it may do in your workspace"), h("ul", {}, claims)) : null,
    action);
}

/** The form for an order. */
async function newOrderView([service, plural]) {
  const offer = await ask("GET", address("catalog", service, "kinds", plural, "form"));
  const name = { type: "string", title: "Name", maxLength: 63, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    description: "Lower case letters, digits and hyphens.",
    "x-message": "Name: lower case letters, digits and hyphens, beginning and ending with a letter or digit." };
  const namespace = { ...name, title: "Namespace", "x-message": "Namespace: lower case letters, digits and hyphens." };
  delete namespace.description;
  const fields = [field(name, "metadata.name", { required: true })];
  if (offer.namespaced) fields.push(field(namespace, "metadata.namespace", { required: true, value: "default" }));
  const properties = Object.entries(offer.form.properties ?? {});
  fields.push(...properties.map(([key, schema]) =>
    field(schema.title ? schema : { ...schema, title: key === "spec" ? `The ${offer.kind.toLowerCase()}` : undefined }, key,
      { name: key, required: (offer.form.required ?? []).includes(key) || key === "spec" })));
  const send = async (read) => {
    const values = Object.fromEntries(properties.map(([key]) => [key, read[key]]).filter(([, value]) => value !== undefined));
    const order = await ask("POST", address("orders"), {
      service, kind: plural, name: read["metadata.name"], namespace: read["metadata.namespace"] ?? "", values,
    });
    say(`${order.name} is ordered.`);
    location.hash = orderLink(order);
  };
  return {
    title: `Order a ${offer.kind}`,
    content: [h("p", {}, `It will be in the workspace ${state.workspace}.`), form({ fields, label: "Order", send })],
  };
}

function signInView(message) {
  state.session = null;
  state.workspace = null;
  turn += 1;
  showHeader();
  const token = field({ type: "string", title: "Token", "ui:widget": "password",
    description: "A bearer token of the control plane, as kubectl uses it." }, "token", { required: true });
  const workspace = field({ type: "string", title: "Workspace", description: "Its path, such as root:team-a." }, "workspace", { required: true });
  const send = async (read) => begin(await ask("POST", "/api/session", { token: read.token, workspace: read.workspace.trim() }));
  show({ title: "Sign in", content: [
    message ? h("p", { class: "notice" }, message) : null,
    h("p", {}, "You can do here what your token lets you do with kubectl, and nothing else."),
    form({ fields: [token, workspace], label: "Sign in", send }),
  ] });
}

function begin(session) {
  state.session = session;
  state.workspace = session.workspace;
  showHeader();
  if (location.hash.startsWith("#/")) route();
  else location.hash = "#/catalog";
}

async function start() {
  const ticket = location.hash.match(/^#ticket=([0-9a-f]+)$/)?.[1];
  if (ticket) {
    // What is in the history of the browser opens nothing.
    history.replaceState(null, "", "/");
    try {
      return begin(await ask("POST", "/api/session", { ticket }));
    } catch {
      return signInView("This link was used already, or is too old.");
    }
  }
  try {
    begin(await ask("GET", "/api/session"));
  } catch {
    signInView();
  }
}

window.addEventListener("hashchange", () => {
  if (location.hash.startsWith("#ticket=")) start();
  else if (location.hash.startsWith("#/")) route();
});
document.addEventListener("signed-out", () => signInView("Your session has ended. Sign in again."));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("sign-out").addEventListener("click", async () => {
  await ask("DELETE", "/api/session").catch(() => null);
  history.replaceState(null, "", "/");
  signInView("You are signed out.");
});
start();
