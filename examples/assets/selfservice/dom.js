// Elements, made without markup: whatever is shown reaches the document as text.

let lastId = 0;

/** An id that no other element has. */
export const newId = (stem) => `${stem}-${++lastId}`;

/** An element. Attributes that are null, undefined or false are left out; functions listen. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for pictures. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Tells those who listen to the page what has happened. */
export function say(text) {
  const live = document.getElementById("live");
  if (live.textContent !== text) live.textContent = text;
}

/** A box with what went wrong, which is told at once. */
export function trouble(message) {
  return h("div", { class: "notice bad", role: "alert" }, h("p", {}, message));
}

/** A time for people. */
export function time(text) {
  const date = new Date(text);
  if (!text || Number.isNaN(date.getTime())) return "";
  return h("time", { datetime: date.toISOString() },
    date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }));
}

/** Words of a name in camel case. */
export function words(name) {
  const text = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/[-_.]+/g, " ").trim().toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A text in which words between backticks are code. */
export function prose(text) {
  const parts = text.split("`");
  // An odd one out is a backtick that means itself.
  if (parts.length % 2 === 0) return text;
  return parts.map((part, index) => (index % 2 ? h("code", {}, part) : part));
}
