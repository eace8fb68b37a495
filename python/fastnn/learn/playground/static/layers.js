// The editor of the network: layers and units, more or fewer, and what each layer's units do.

import { make } from "./form.js";

export class Layers {
  /** Makes its cards inside `host`; `change` is told what a person changes. */
  constructor(host, fields, change) {
    const field = (name) => fields.find((entry) => entry.name === name);
    this.host = host;
    this.change = change;
    this.most = field("layers").most;
    this.units = field("layers").item;
    this.words = field("activations").item.choices;
    this.cards = [];
    this.add = document.getElementById("add-layer");
    this.add.addEventListener("click", () => {
      const units = this.settings.layers.at(-1) ?? 8;
      this.set([...this.settings.layers, Math.min(units, 16)]);
      this.host.lastElementChild.querySelector("input").focus();
    });
  }

  set(layers, activations = this.settings.activations) {
    this.change({ layers, activations });
  }

  card(index) {
    const put = (units) => {
      const layers = [...this.settings.layers];
      layers[index] = Math.min(this.units.high, Math.max(this.units.low, units));
      this.set(layers);
    };
    const name = `Layer ${index + 1}`;
    const button = (text, label, click) =>
      make("button", { type: "button", textContent: text, "aria-label": label, on: { click } });
    const count = make("input", { type: "number", min: this.units.low, max: this.units.high,
      "aria-label": `${name}: units`, on: { change: () => {
        if (count.checkValidity() && count.value) put(Number(count.value));
        else count.reportValidity();
      } } });
    const word = make("select", { "aria-label": `${name}: activation`, on: { change: () => {
      const activations = [...this.settings.activations];
      activations[index] = word.value;
      this.change({ activations });
    } } }, ...this.words.map((value) => make("option", { value, textContent: value })));
    const card = make("div", { role: "group", "aria-label": name },
      button("−", `${name}: one unit less`, () => put(this.settings.layers[index] - 1)), count,
      button("+", `${name}: one unit more`, () => put(this.settings.layers[index] + 1)), word,
      button("×", `Remove layer ${index + 1}`, () => {
        const without = (list) => list.filter((_, place) => place !== index);
        this.set(without(this.settings.layers), without(this.settings.activations));
        (this.host.children[Math.max(0, index - 1)]?.querySelector("input") ?? this.add).focus();
      }));
    return { card, count, word };
  }

  apply(settings) {
    this.settings = settings;
    const depth = settings.layers.length;
    while (this.cards.length > depth) this.cards.pop().card.remove();
    while (this.cards.length < depth) {
      this.cards.push(this.card(this.cards.length));
      this.host.append(this.cards.at(-1).card);
    }
    this.cards.forEach(({ count, word }, index) => {
      count.value = settings.layers[index];
      word.value = settings.activations[index];
    });
    this.add.disabled = depth >= this.most;
  }
}
