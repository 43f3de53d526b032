// Workspaces and the orders in them: a picture, and a table that says the same.

import { address, ask, state } from "./api.js";
import { h, newId, svg } from "./dom.js";
import { orderLink, standing } from "./orders.js";

const BOX = { width: 250, head: 44, line: 30, pad: 12, gapX: 70, gapY: 24 };

export async function topologyView(openWorkspace) {
  const { workspaces, more } = await ask("GET", address("topology"));
  const count = workspaces.reduce((sum, workspace) => sum + workspace.orders.length, 0);
  const open = (workspace) => h("button", { type: "button", class: "quiet small", click: () => openWorkspace(workspace.path) },
    "Work here", h("span", { class: "unseen" }, `: ${workspace.path}`));
  const ordersOf = (workspace) => {
    if (!workspace.mayEnter) return "You may not look inside.";
    if (!workspace.orders.length) return "None";
    return h("ul", { class: "plain" }, workspace.orders.map((order) => h("li", {},
      workspace.path === state.workspace ? h("a", { href: orderLink(order) }, order.name) : order.name,
      ` – ${order.kind}, ${standing(order).word}`)));
  };
  return {
    title: "Topology",
    content: [
      h("p", {}, `${workspaces.length} ${workspaces.length === 1 ? "workspace" : "workspaces"} and ${count} ${count === 1 ? "order" : "orders"} that you may see, from ${state.workspace} downwards.`,
        more ? " There are more than are shown." : ""),
      h("div", { class: "scroll picture", tabindex: "0", role: "region", "aria-label": "Topology, as a picture" }, picture(workspaces, count)),
      h("h2", {}, "The same as a table"),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Topology, as a table" }, h("table", {},
        h("caption", { class: "unseen" }, "Workspaces and their orders"),
        h("thead", {}, h("tr", {}, ["Workspace", "Inside of", "State", "Orders", "Action"].map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, workspaces.map((workspace) => h("tr", {},
          h("th", { scope: "row" }, workspace.path),
          h("td", {}, workspace.parent ?? "–"), h("td", {}, workspace.phase), h("td", {}, ordersOf(workspace)),
          h("td", {}, workspace.path === state.workspace ? "You work here" : workspace.mayEnter ? open(workspace) : "–")))))),
    ],
  };
}

/** A tree from left to right; each workspace is a box with its orders in it. */
function picture(workspaces, count) {
  const below = Map.groupBy
    ? Map.groupBy(workspaces, (workspace) => workspace.parent)
    : workspaces.reduce((map, one) => map.set(one.parent, [...(map.get(one.parent) ?? []), one]), new Map());
  const boxes = [];
  let bottom = BOX.pad;
  // Boxes stand under each other in the order of the tree, so that no two overlap.
  const place = (workspace, depth) => {
    const box = {
      workspace,
      x: BOX.pad + depth * (BOX.width + BOX.gapX),
      y: bottom,
      height: BOX.head + Math.max(1, workspace.orders.length) * BOX.line + BOX.pad,
    };
    boxes.push(box);
    const children = below.get(workspace.path) ?? [];
    const boxesBelow = children.map((child) => place(child, depth + 1));
    bottom = Math.max(bottom, box.y + box.height + BOX.gapY);
    box.children = boxesBelow;
    return box;
  };
  if (workspaces.length) place(workspaces[0], 0);
  const width = Math.max(...boxes.map((box) => box.x + BOX.width), 0) + BOX.pad;
  const height = bottom - BOX.gapY + BOX.pad;
  const [titleId, aboutId] = [newId("title"), newId("about")];
  const lines = boxes.flatMap((box) => box.children.map((child) => {
    const [x1, y1, x2, y2] = [box.x + BOX.width, box.y + BOX.head / 2, child.x, child.y + BOX.head / 2];
    const middle = (x1 + x2) / 2;
    return svg("path", { class: "edge", d: `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}` });
  }));
  return svg("svg", { role: "img", "aria-labelledby": `${titleId} ${aboutId}`, width, height, viewBox: `0 0 ${width} ${height}` },
    svg("title", { id: titleId }, "Workspaces and orders"),
    svg("desc", { id: aboutId }, `A tree of ${workspaces.length} workspaces with ${count} orders; the table below says the same.`),
    lines, boxes.map(drawBox));
}

function drawBox({ workspace, x, y, height }) {
  const name = workspace.path.split(":").at(-1);
  const line = (order, index) => {
    const { word, look } = standing(order);
    const top = y + BOX.head + index * BOX.line;
    return svg("g", { class: `item ${look}` },
      svg("circle", { cx: x + 20, cy: top + 12, r: 6 }),
      svg("text", { x: x + 36, y: top + 17 }, short(`${order.name}`, 16)),
      svg("text", { x: x + BOX.width - 14, y: top + 17, class: "faint", "text-anchor": "end" }, short(word, 12)));
  };
  const empty = workspace.mayEnter ? "no orders" : "closed to you";
  return svg("g", { class: workspace.path === state.workspace ? "box here" : "box" },
    svg("rect", { x, y, width: BOX.width, height, rx: 10 }),
    svg("text", { x: x + 14, y: y + 27, class: "name" }, short(name, 22)),
    svg("line", { x1: x, x2: x + BOX.width, y1: y + BOX.head - 6, y2: y + BOX.head - 6 }),
    workspace.orders.length
      ? workspace.orders.map(line)
      : svg("text", { x: x + 14, y: y + BOX.head + 17, class: "faint" }, empty));
}

function short(text, length) {
  const letters = [...text];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : text;
}
