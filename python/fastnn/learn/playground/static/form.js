// The form: made from the schema alone, kept in step with the settings and with the link.

/** Makes an element; `on` holds listeners, the rest are properties or attributes. */
export function make(tag, { on = {}, ...properties } = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in found && !(name.startsWith("aria") || name === "list")) found[name] = value;
    else found.setAttribute(name, value);
  }
  for (const [name, listen] of Object.entries(on)) found.addEventListener(name, listen);
  found.append(...children);
  return found;
}

const written = (value) => {
  if (Array.isArray(value)) return value.map(written).join();
  return typeof value === "boolean" ? String(Number(value)) : String(value);
};
const same = (a, b) => written(a) === written(b);

/** The settings that differ from their defaults, as the part of a link after '#'. */
export function toLink(fields, settings) {
  const quoted = (value) => encodeURIComponent(written(value)).replace(/%2C/g, ",");
  return fields.filter(({ name, default: usual }) => !same(settings[name], usual))
    .map(({ name }) => `${name}=${quoted(settings[name])}`).join("&");
}

/** Whether a slider's places mean exponents: where the schema says so, or over a wide range. */
const curved = ({ kind, log, low, high }) =>
  log || (kind === "integer" && low > 0 && high / low >= 100);
const places = (field) => (curved(field) ? 200 : Math.round((field.high - field.low) / field.step));

function toPlace(field, value) {
  const { low, high, step } = field;
  if (!curved(field)) return Math.round((value - low) / step);
  if (low > 0) return Math.round((200 * Math.log(value / low)) / Math.log(high / low));
  return value < step ? 0 : 1 + Math.round((199 * Math.log(value / step)) / Math.log(high / step));
}

function fromPlace(field, place) {
  const { kind, low, high, step } = field;
  let value = low + place * step;
  if (curved(field) && low > 0) value = low * (high / low) ** (place / 200);
  else if (curved(field)) value = place === 0 ? 0 : step * (high / step) ** ((place - 1) / 199);
  if (kind === "integer") return Math.min(high, Math.max(low, Math.round(value)));
  return Math.min(high, Number(value.toPrecision(curved(field) ? 2 : 6)));
}

/** Controls of one field: elements to show, and how to write a value into them. */
const controls = {
  flag(field, id, change) {
    const box = make("input", { type: "checkbox", id,
      on: { change: () => change(box.checked) } });
    return { parts: [box], write: (value) => { box.checked = value; } };
  },

  choice(field, id, change) {
    const options = field.choices.map((value, i) =>
      make("option", { value, textContent: field.titles[i] ?? value }));
    const list = make("select", { id, on: { change: () => change(list.value) } }, ...options);
    return { parts: [list], write: (value) => { list.value = value; } };
  },

  number(field, id, change) {
    const { low, high, step, label } = field;
    const exact = make("input", { type: "number", id, min: low, max: high, inputMode: "decimal",
      step: field.kind === "integer" ? 1 : "any" });
    exact.addEventListener("change", () => {
      if (exact.value !== "" && exact.checkValidity()) change(Number(exact.value));
      else exact.reportValidity();
    });
    const write = (value) => {
      if (document.activeElement !== exact || Number(exact.value) !== value) exact.value = value;
    };
    if ((high - low) / step > 2000 && !curved(field)) return { parts: [exact], write };
    const slider = make("input", { type: "range", min: 0, max: places(field), step: 1,
      "aria-label": `${label}, slider` });
    const told = (value) => slider.setAttribute("aria-valuetext", String(value));
    slider.addEventListener("input", () => {
      const value = fromPlace(field, Number(slider.value));
      exact.value = value;
      told(value);
      change(value);
    });
    return {
      parts: [exact, slider],
      write(value) {
        write(value);
        told(value);
        if (fromPlace(field, Number(slider.value)) !== value) slider.value = toPlace(field, value);
      },
    };
  },

  several(field, id, change) {
    const boxes = field.item.choices.map((value) => make("input", { type: "checkbox", value,
      on: { change: () => {
        const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
        if (chosen.length >= field.least) change(chosen);
        else boxes.find((box) => box.value === value).checked = true;
      } } }));
    const parts = boxes.map((box) => make("label", {}, box, box.value));
    return {
      parts: [make("div", { id, className: "boxes", role: "group", "aria-label": field.label },
        ...parts)],
      write: (value) => boxes.forEach((box) => { box.checked = value.includes(box.value); }),
    };
  },
};
controls.integer = controls.number;

export class Form {
  /**
   * Puts a control for each field into the element with its data-field, or into its group.
   *
   * @param {object[]} fields as GET schema gives them
   * @param {(changes: object) => void} change called with what a person changes
   */
  constructor(fields, change) {
    this.fields = fields;
    this.change = change;
    this.rows = new Map();
    for (const field of fields) {
      if (document.querySelector(`[data-own="${field.name}"]`)) continue;
      const host = document.querySelector(`[data-field="${field.name}"]`)
        ?? document.querySelector(`[data-group="${field.group}"]`);
      const row = this.row(field);
      this.rows.set(field.name, row);
      host.append(row.element);
    }
  }

  row(field) {
    const id = `set-${field.name}`;
    const { parts, write } = controls[field.kind](field, id, (value) =>
      this.change({ [field.name]: value }));
    const lesson = field.lesson ? ` Lesson ${field.lesson}.` : "";
    const help = make("p", { id: `help-${field.name}`, className: "help", hidden: true,
      textContent: field.help + lesson });
    const more = make("button", { type: "button", className: "more", textContent: "?",
      "aria-label": `About ${field.label}`, "aria-expanded": "false",
      "aria-controls": help.id, on: { click: () => {
        help.hidden = !help.hidden;
        more.setAttribute("aria-expanded", String(!help.hidden));
      } } });
    parts[0].setAttribute("aria-describedby", help.id);
    const label = make(field.kind === "several" ? "span" : "label",
      { textContent: field.label, className: "name", htmlFor: id });
    const element = make("div", { className: `field ${field.kind}` }, label, more, ...parts, help);
    return { element, write, field, parts };
  }

  /** Turns a number's control into a list of words, one for each value from 0. */
  offer(name, words) {
    const row = this.rows.get(name);
    if (same(row.words ?? [], words)) return;
    row.words = words;
    const list = make("select", { id: `set-${name}`, "aria-describedby": `help-${name}`,
      on: { change: () => this.change({ [name]: Number(list.value) }) } },
      ...words.map((textContent, value) => make("option", { value, textContent })));
    row.parts.slice(1).forEach((part) => part.remove());
    row.parts[0].replaceWith(list);
    row.parts = [list];
    row.element.className = "field choice";
    row.write = (value) => { list.value = value; };
    row.write(this.settings[name]);
  }

  /** Shows these settings, and only the controls that count beside them. */
  apply(settings) {
    this.settings = settings;
    for (const { element, write, field } of this.rows.values()) {
      write(settings[field.name]);
      element.hidden = !Object.entries(field.when).every(([name, values]) =>
        values.includes(settings[name]));
    }
  }
}
