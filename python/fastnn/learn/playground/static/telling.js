// What a frame says in words: numbers, time line, diagnosis, and the live region that is spoken.

import { short } from "./draw.js";
import { make } from "./form.js";
import { isSlow } from "./transport.js";

const OFTEN = 100; // milliseconds between two looks at the numbers while running
const SELDOM = 300; // and at the diagnosis
const SPEAK = 5000; // and between two reports that are spoken

export const byId = (id) => document.getElementById(id);

/** Writes text where it differs. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** How much was dead, as the live region has it. */
function summary({ status, why, step, loss, layers, findings }) {
  const dead = layers.reduce((sum, row) => sum + Math.round((row.dead ?? 0) * row.units), 0);
  const now = `${status}${why ? `, ${why}` : ""}: step ${short(step)}, loss ${short(loss)}, `
    + `${dead} dead ${dead === 1 ? "unit" : "units"}.`;
  return [now, ...findings.map((finding) => finding.text)].join(" ");
}

export class Telling {
  status = "";
  kinds = "";
  times = { numbers: -Infinity, diagnosis: -Infinity, spoken: -Infinity };
  steps = []; // of the snapshots one can go back to

  /** @param {(kind: string) => void} mend what "Apply the fix" does */
  constructor(mend) {
    this.mend = mend;
  }

  /** Whether `what` is due again while running. */
  due(what, running, wait) {
    const now = performance.now();
    if (running && now - this.times[what] < wait) return false;
    this.times[what] = now;
    return true;
  }

  speak(words) {
    this.times.spoken = performance.now();
    text(byId("status"), words);
  }

  /** Hears of a frame; returns whether the diagnosis was looked at, too. */
  tell({ state, running }) {
    if (!this.due("numbers", running, OFTEN) && state.status === this.status) return false;
    text(byId("run"), running ? "Pause" : "Run");
    for (const [id, value] of [["step", short(state.step)], ["epoch", short(state.epoch)],
      ["training-loss", short(state.loss)], ["validation-loss", short(state.val_loss)],
      ["score-name", `${state.score_name} train / val.`],
      ["score", `${short(state.score)} / ${short(state.val_score)}`],
      ["rate", short(running ? state.steps_per_second : 0)],
      ["state", isSlow() ? "working …" : state.status], ["why", state.why]]) {
      text(byId(id), value);
    }
    byId("state").dataset.status = state.status;
    this.timeLine(state);
    if (!this.due("diagnosis", running, SELDOM) && state.status === this.status) return false;
    const kinds = state.findings.map(({ kind, layer }) => `${kind} ${layer}`).join();
    this.diagnosis(state.findings);
    if (kinds !== this.kinds) { // what is below stays where it is when findings come and go
      byId("findings").style.minHeight = `${byId("findings").offsetHeight}px`;
    }
    const news = state.status !== this.status || (kinds !== this.kinds && kinds);
    [this.status, this.kinds] = [state.status, kinds];
    if (news || (running && performance.now() - this.times.spoken > SPEAK)) {
      this.speak(summary(state));
    }
    return true;
  }

  /** The bar under the losses: its places are the snapshots. */
  timeLine({ rewind, step }) {
    const bar = byId("rewind");
    this.steps = rewind;
    bar.disabled = rewind.length < 2;
    if (this.rewinding) return;
    bar.max = Math.max(1, rewind.length - 1);
    bar.value = Math.max(0, rewind.findLastIndex((at) => at <= step));
    text(byId("rewind-text"), `step ${short(step)}`);
    bar.setAttribute("aria-valuetext", `step ${short(step)}`);
  }

  /** One entry a finding; an entry stays the same element as long as the finding stays. */
  diagnosis(findings) {
    const list = byId("findings");
    const old = new Map([...list.children].map((entry) => [entry.dataset.key, entry]));
    byId("healthy").hidden = findings.length > 0;
    findings.forEach(({ kind, layer, severity, text: what, remedy, fix }, index) => {
      const key = `${kind} ${layer}`;
      const entry = old.get(key) ?? make("li", { "data-key": key }, make("strong"), make("p"),
        make("p", { className: "remedy" }), make("button", { type: "button",
          textContent: "Apply the fix", on: { click: () => this.mend(kind) } }));
      old.delete(key);
      [severity, what, remedy].forEach((words, part) => text(entry.children[part], words));
      entry.className = severity;
      entry.lastElementChild.hidden = !fix;
      if (list.children[index] !== entry) list.insertBefore(entry, list.children[index] ?? null);
    });
    old.forEach((entry) => entry.remove());
  }
}
