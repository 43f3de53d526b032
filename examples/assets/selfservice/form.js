// A form from a JSON Schema.
//
// Each field has a path in the words of the API server, such as `spec.backups[0].hour`, so that what the server says of
// a field is shown at that field.

import { h, newId, prose, say, words } from "./dom.js";

/** What a field says when it has nothing to say. */
const nothing = undefined;

/** A field for `schema`: `{element, read(), check(), at(path)}`. */
export function field(schema, path, { name, required = false, value = schema.default, level = 0 } = {}) {
  const label = schema.title || words(name ?? path);
  const about = { schema, path, label, required, value, level };
  const type = [schema.type].flat().find((type) => type && type !== "null");
  if (schema.enum) return choice(about);
  if (schema.anyOf) return numberOrText(about);
  if (type === "boolean") return yesOrNo(about);
  if (type === "integer" || type === "number") return number(about, type);
  if (type === "array") return list(about);
  if (type === "object" && schema.properties) return group(about);
  if (type === "object" && typeof schema.additionalProperties === "object") return map(about);
  if (type === "object") return json(about);
  return text(about);
}

/** A whole form: `fields` and a button; `send(values)` may throw a refusal, whose causes are shown at the fields. */
export function form({ fields, label, send }) {
  const problems = h("div", { class: "problems" });
  const button = h("button", { type: "submit", class: "main" }, label);
  const show = (faults, message) => {
    fields.forEach((field) => field.clear());
    let first = null;
    const loose = [];
    for (const fault of faults) {
      const target = fields.map((field) => field.at(fault.path)).find(Boolean);
      if (!target) loose.push(fault.message);
      else {
        target.fault(fault.message);
        first ??= target;
      }
    }
    const count = faults.length === 1 ? "1 field needs attention" : `${faults.length} fields need attention`;
    const texts = [message, ...loose].filter(Boolean);
    problems.replaceChildren(h("div", { class: "notice bad", role: "alert", tabindex: "-1" },
      h("p", {}, texts.length || !faults.length ? texts.join(" ") : `${count}.`)));
    (first ?? { focus: () => problems.firstChild.focus() }).focus();
  };
  const submit = async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    const faults = fields.flatMap((field) => field.check());
    if (faults.length) return show(faults);
    problems.replaceChildren();
    fields.forEach((field) => field.clear());
    button.setAttribute("aria-disabled", "true");
    try {
      await send(Object.fromEntries(fields.map((field) => [field.path, field.read()])));
    } catch (refusal) {
      const causes = (refusal.causes ?? []).filter((cause) => cause.field && cause.message);
      const known = causes.filter((cause) => fields.some((field) => field.at(cause.field)));
      show(causes.map((cause) => ({ path: cause.field, message: readable(cause.message) })), known.length ? null : refusal.message);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };
  return h("form", { novalidate: true, submit }, problems, fields.map((field) => field.element),
    h("p", { class: "hint" }, "Fields marked with ", h("span", { class: "star", "aria-hidden": "true" }, "*"),
      h("span", { class: "unseen" }, "a star"), " are required."),
    h("div", { class: "actions" }, button));
}

/** What the server says of a value, without naming its type when that is all it shows of it. */
const readable = (message) => message.replace(/^Invalid value: "(array|boolean|integer|number|object|string)": /, "");

/** What all fields with one control have in common: its label, its description, and its fault. */
function single({ schema, path, label, required }, control, { read, check = () => nothing, inline = false }) {
  const id = newId("field");
  const [aboutId, faultId] = [`${id}-about`, `${id}-fault`];
  const faultBox = h("p", { class: "fault", id: faultId, hidden: true });
  const aboutBox = schema.description ? h("p", { class: "about", id: aboutId }, prose(schema.description)) : null;
  control.id = id;
  if (aboutBox) control.setAttribute("aria-describedby", aboutId);
  if (required) control.setAttribute("aria-required", "true");
  const title = h("label", { for: id }, label,
    required ? h("span", { class: "star", "aria-hidden": "true" }, " *") : null);
  const element = h("div", { class: inline ? "field inline" : "field" },
    inline ? [h("div", { class: "line" }, control, title), aboutBox] : [title, aboutBox, control], faultBox);
  const described = (ids) => ids.length
    ? control.setAttribute("aria-describedby", ids.join(" ")) : control.removeAttribute("aria-describedby");
  const self = {
    element, path, read,
    isSet: () => read() !== nothing,
    check: () => {
      const message = required && read() === nothing && !check() ? `${label}: this is required.` : check();
      return message ? [{ path, message }] : [];
    },
    at: (where) => (where === path || where.startsWith(`${path}.`) || where.startsWith(`${path}[`) ? self : null),
    fault: (message) => {
      faultBox.textContent = faultBox.hidden ? message : `${faultBox.textContent} ${message}`;
      faultBox.hidden = false;
      control.setAttribute("aria-invalid", "true");
      described([aboutBox && aboutId, faultId].filter(Boolean));
    },
    clear: () => {
      faultBox.hidden = true;
      faultBox.textContent = "";
      control.removeAttribute("aria-invalid");
      described(aboutBox ? [aboutId] : []);
    },
    focus: () => control.focus(),
  };
  // Who corrects a field is told so when leaving it.
  control.addEventListener("change", () => {
    if (faultBox.hidden) return;
    self.clear();
    self.check().forEach((fault) => self.fault(fault.message));
  });
  return self;
}

function text(about) {
  const { schema, label, value } = about;
  const widget = schema["ui:widget"];
  const control = widget === "textarea"
    ? h("textarea", { rows: 4, spellcheck: "false" })
    : h("input", { type: widget === "password" ? "password" : "text", autocomplete: "off", spellcheck: "false",
      autocapitalize: "off" });
  control.value = value ?? "";
  const read = () => (control.value === "" ? nothing : control.value);
  const check = () => {
    const given = read();
    if (given === nothing) return nothing;
    const length = [...given].length;
    if (schema.minLength !== undefined && length < schema.minLength) {
      return `${label}: at least ${schema.minLength} characters, not ${length}.`;
    }
    if (schema.maxLength !== undefined && length > schema.maxLength) {
      return `${label}: at most ${schema.maxLength} characters, not ${length}.`;
    }
    if (schema.pattern && !matches(schema.pattern, given)) {
      return schema["x-message"] ?? `${label}: “${given}” is not of the form that is asked for.`;
    }
    return nothing;
  };
  return single(about, control, { read, check });
}

/** Whether a text has the form; one that the browser cannot read is left to the server. */
function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
}

function number(about, type) {
  const { schema, label, value } = about;
  const control = h("input", { type: "number", step: type === "integer" ? schema.multipleOf ?? 1 : "any",
    inputmode: type === "integer" ? "numeric" : "decimal", autocomplete: "off" });
  control.value = value ?? "";
  const read = () => (control.value === "" ? nothing : Number(control.value));
  const check = () => {
    const given = read();
    if (given === nothing) return control.validity.badInput ? `${label}: this is no number.` : nothing;
    if (type === "integer" && !Number.isSafeInteger(given)) return `${label}: a whole number, please.`;
    if (given < schema.minimum) return `${label}: ${schema.minimum} or more.`;
    if (given > schema.maximum) return `${label}: ${schema.maximum} or less.`;
    if (given <= schema.exclusiveMinimum) return `${label}: more than ${schema.exclusiveMinimum}.`;
    if (given >= schema.exclusiveMaximum) return `${label}: less than ${schema.exclusiveMaximum}.`;
    if (schema.multipleOf && !isMultiple(given, schema.multipleOf)) return `${label}: a multiple of ${schema.multipleOf}.`;
    return nothing;
  };
  return single(about, control, { read, check });
}

function isMultiple(number, step) {
  const times = number / step;
  return Math.abs(times - Math.round(times)) < 1e-9;
}

function numberOrText(about) {
  const control = h("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  control.value = about.value ?? "";
  const read = () => {
    const given = control.value.trim();
    if (given === "") return nothing;
    return /^-?\d{1,15}$/.test(given) ? Number(given) : given;
  };
  return single(about, control, { read });
}

function yesOrNo(about) {
  const { required, value } = about;
  if (typeof value === "boolean" || required) {
    const control = h("input", { type: "checkbox" });
    control.checked = value === true;
    return single({ ...about, required: false }, control, { read: () => control.checked, inline: true });
  }
  return choice({ ...about, schema: { ...about.schema, enum: [true, false] } });
}

function choice(about) {
  const { schema, required, value } = about;
  const values = schema.enum.filter((value) => value !== null);
  const shown = (value) => (value === true ? "Yes" : value === false ? "No" : typeof value === "string" ? value : JSON.stringify(value));
  const control = h("select", {},
    h("option", { value: "" }, required ? "Choose…" : "Not set"),
    values.map((value, index) => h("option", { value: index }, shown(value))));
  const chosen = values.findIndex((one) => JSON.stringify(one) === JSON.stringify(value));
  control.value = chosen < 0 ? "" : String(chosen);
  return single(about, control, { read: () => (control.value === "" ? nothing : values[Number(control.value)]) });
}

function json(about) {
  const control = h("textarea", { rows: 4, spellcheck: "false", class: "code" });
  control.value = about.value === undefined ? "" : JSON.stringify(about.value, null, 2);
  const parsed = () => {
    try {
      return { value: control.value.trim() === "" ? nothing : JSON.parse(control.value) };
    } catch {
      return { isBad: true };
    }
  };
  const check = () => {
    const { value, isBad } = parsed();
    const isObject = value === nothing || (typeof value === "object" && value !== null && !Array.isArray(value));
    return isBad || !isObject ? `${about.label}: an object in JSON, such as {"key": "value"}.` : nothing;
  };
  const schema = { ...about.schema, description: [about.schema.description, "An object in JSON."].filter(Boolean).join(" ") };
  return single({ ...about, schema }, control, { read: () => parsed().value, check });
}

/** What fields that are made of others have in common. */
function compound({ schema, path, label, required }, inner, { children, read, check }) {
  const faultId = newId("fault");
  const faultBox = h("p", { class: "fault", id: faultId, hidden: true });
  const element = h("fieldset", { tabindex: "-1", "aria-describedby": faultId },
    h("legend", {}, label, required ? h("span", { class: "star", "aria-hidden": "true" }, " *") : null),
    schema.description ? h("p", { class: "about" }, prose(schema.description)) : null, faultBox, inner);
  const self = {
    element, path, read, check,
    isSet: () => read() !== nothing,
    at: (where) => children().map((child) => child.at(where)).find(Boolean)
      ?? (where === path || where.startsWith(`${path}.`) || where.startsWith(`${path}[`) ? self : null),
    fault: (message) => {
      faultBox.textContent = message;
      faultBox.hidden = false;
    },
    clear: () => {
      faultBox.hidden = true;
      faultBox.textContent = "";
      children().forEach((child) => child.clear());
    },
    focus: () => element.focus(),
  };
  return self;
}

function group(about) {
  const { schema, path, required, level, value } = about;
  const order = (schema["ui:order"] ?? []).filter((name) => name in schema.properties);
  const names = [...order, ...Object.keys(schema.properties).filter((name) => !order.includes(name))];
  const fields = names.map((name) => {
    const inner = schema.properties[name];
    const given = value?.[name] ?? inner.default;
    return [name, field(inner, `${path}.${name}`,
      { name, required: (schema.required ?? []).includes(name), value: given, level: level + 1 })];
  });
  const children = () => fields.map(([, field]) => field);
  const read = () => {
    const given = fields.map(([name, field]) => [name, field.read()]).filter(([, value]) => value !== nothing);
    return given.length || required ? Object.fromEntries(given) : nothing;
  };
  // Of an object that is not needed, nothing is needed until something of it is given.
  const check = () => (required || read() !== nothing ? children().flatMap((field) => field.check()) : []);
  return compound(about, h("div", { class: "group" }, children().map((field) => field.element)), { children, read, check });
}

/** Rows that can be added and removed. */
function rows(about, { add, item, read, checkAll }) {
  const { label, schema } = about;
  let all = [];
  const box = h("ol", { class: "rows" });
  const button = h("button", { type: "button", class: "quiet", click: () => insert().focus() }, add);
  const remove = (row) => {
    all = all.filter((other) => other !== row);
    row.element.remove();
    renumber();
    say(`${row.label} removed.`);
    button.focus();
  };
  const renumber = () => all.forEach((row, index) => row.number(index));
  const insert = (value) => {
    const row = item(all.length, value);
    const drop = h("button", { type: "button", class: "quiet", click: () => remove(row) }, `Remove ${row.label}`);
    row.element = h("li", {}, row.field.map((field) => field.element), drop);
    row.number = (index) => {
      row.rename(index);
      drop.textContent = `Remove ${row.label}`;
    };
    all.push(row);
    box.append(row.element);
    return row.field[0];
  };
  const children = () => all.flatMap((row) => row.field);
  const self = compound(about, [box, button], {
    children,
    read: () => read(all),
    check: () => {
      const count = all.length;
      const faults = checkAll(all) ?? [];
      if (count < (schema.minItems ?? 0) && (about.required || count)) {
        faults.push({ path: about.path, message: `${label}: at least ${schema.minItems}.` });
      }
      if (count > (schema.maxItems ?? Infinity)) faults.push({ path: about.path, message: `${label}: at most ${schema.maxItems}.` });
      if (about.required && read(all) === nothing) faults.push({ path: about.path, message: `${label}: this is required.` });
      return [...faults, ...children().flatMap((field) => field.check())];
    },
  });
  return { self, insert };
}

function list(about) {
  const { schema, path, label, value, level, required } = about;
  const read = (all) => {
    const values = all.map((row) => row.field[0].read()).filter((value) => value !== nothing);
    return values.length || (required && !schema.minItems) ? values : nothing;
  };
  const item = (index, value) => {
    const row = { label: `${label} ${index + 1}`, rename: (index) => { row.label = `${label} ${index + 1}`; } };
    row.field = [field({ ...schema.items, title: schema.items?.title || `${label} ${index + 1}` }, `${path}[${index}]`,
      { required: true, value: value ?? schema.items?.default, level: level + 1 })];
    return row;
  };
  const checkAll = (all) => {
    const values = all.map((row) => JSON.stringify(row.field[0].read()));
    const twice = schema.uniqueItems && values.some((value, index) => values.indexOf(value) !== index);
    return twice ? [{ path, message: `${label}: each only once.` }] : [];
  };
  const { self, insert } = rows(about, { add: `Add to ${label}`, item, read, checkAll });
  (Array.isArray(value) ? value : []).forEach((one) => insert(one));
  return self;
}

function map(about) {
  const { schema, path, label, value, level } = about;
  const read = (all) => {
    const pairs = all.map((row) => row.field.map((field) => field.read())).filter(([key]) => key !== nothing);
    return pairs.length || about.required ? Object.fromEntries(pairs) : nothing;
  };
  const item = (index, [key, one] = []) => {
    const row = { label: `${label} ${index + 1}`, rename: (index) => { row.label = `${label} ${index + 1}`; } };
    row.field = [
      field({ type: "string", title: `Key ${index + 1}` }, `${path}.(key ${index})`, { required: true, value: key }),
      field({ ...schema.additionalProperties, title: `Value ${index + 1}` }, `${path}.(value ${index})`,
        { required: true, value: one, level: level + 1 }),
    ];
    return row;
  };
  const checkAll = (all) => {
    const keys = all.map((row) => row.field[0].read());
    return keys.some((key, index) => keys.indexOf(key) !== index) ? [{ path, message: `${label}: each key only once.` }] : [];
  };
  const { self, insert } = rows(about, { add: `Add to ${label}`, item, read, checkAll });
  Object.entries(value ?? {}).forEach((pair) => insert(pair));
  return self;
}
