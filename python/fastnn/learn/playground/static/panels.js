// The tabs about classes: ROC with a threshold, confusion matrix, calibration.

import { dot, short } from "./draw.js";
import { make } from "./form.js";
import { View } from "./show.js";
import { byId, text } from "./telling.js";

const share = (part, all) => (all ? `${short(part / all)} (${part} of ${all})` : "–");

/** Axes from 0 to 1 with a dotted diagonal; returns the places of a point. */
function square(view, colours, right, up) {
  const ctx = view.clear(colours);
  const size = Math.min(view.width - 60, view.height - 44);
  const place = (x, y) => [44 + x * size, 10 + (1 - y) * size];
  ctx.strokeStyle = colours.grid;
  ctx.strokeRect(...place(0, 1), size, size);
  ctx.setLineDash([3, 4]);
  ctx.beginPath();
  ctx.moveTo(...place(0, 0));
  ctx.lineTo(...place(1, 1));
  ctx.strokeStyle = colours.muted;
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.fillStyle = colours.muted;
  ctx.textAlign = "center";
  for (const at of [0, 0.5, 1]) ctx.fillText(String(at), place(at, 0)[0], place(0, 0)[1] + 15);
  ctx.fillText(right, place(0.5, 0)[0], place(0, 0)[1] + 30);
  ctx.textAlign = "right";
  for (const at of [0, 1]) ctx.fillText(String(at), 38, place(0, at)[1] + 4);
  ctx.save();
  ctx.translate(14, place(0, 0.5)[1]);
  ctx.rotate(-Math.PI / 2);
  ctx.textAlign = "center";
  ctx.fillText(up, 0, 0);
  ctx.restore();
  return { ctx, place };
}

export class Panels {
  constructor() {
    const redraw = () => this.draw();
    this.tabs = ["roc", "confusion", "calibration"];
    this.roc = new View(byId("roc"), redraw);
    this.calibration = new View(byId("calibration"), redraw);
    byId("threshold").addEventListener("input", redraw);
    this.tabs.forEach((name, index) => {
      const tab = byId(`tab-${name}`);
      tab.addEventListener("click", () => this.open(name));
      tab.addEventListener("keydown", ({ key }) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
        if (!step) return;
        const next = this.tabs[(index + step + 3) % 3];
        this.open(next);
        byId(`tab-${next}`).focus();
      });
    });
  }

  open(chosen) {
    for (const name of this.tabs) {
      const tab = byId(`tab-${name}`);
      tab.setAttribute("aria-selected", String(name === chosen));
      tab.tabIndex = name === chosen ? 0 : -1;
      byId(`panel-${name}`).hidden = name !== chosen;
    }
  }

  /** Takes what a frame says; draws only what is open and on the screen. */
  update(state, classes, colours) {
    Object.assign(this, { state, classes, colours });
    this.draw();
  }

  draw() {
    if (!this.state || !this.colours) return;
    const { roc, calibration, confusion } = this.state;
    if (this.roc.visible) this.drawRoc(roc, confusion);
    if (this.calibration.visible) this.drawCalibration(calibration);
    if (!byId("panel-confusion").hidden) this.fillConfusion(confusion);
  }

  drawRoc(roc, confusion) {
    const told = byId("roc-text");
    const { ctx, place } = square(this.roc, this.colours, "false alarms", "found");
    const threshold = Number(byId("threshold").value);
    if (!roc) {
      text(told, "ROC needs two classes, and numbers that are finite.");
      return;
    }
    ctx.beginPath();
    roc.fpr.forEach((fpr, i) => ctx.lineTo(...place(fpr, roc.tpr[i])));
    ctx.strokeStyle = this.colours.classes[1];
    ctx.lineWidth = 2;
    ctx.stroke();
    ctx.lineWidth = 1;
    const at = roc.thresholds.findLastIndex((value) => value === null || value >= threshold);
    const [fpr, tpr] = [roc.fpr[Math.max(0, at)], roc.tpr[Math.max(0, at)]];
    dot(ctx, ...place(fpr, tpr), 6, this.colours.ink);
    const [negatives, positives] = (confusion ?? [[0], [0]]).map((row) =>
      row.reduce((sum, n) => sum + n, 0));
    const [hits, alarms] = [Math.round(tpr * positives), Math.round(fpr * negatives)];
    const words = `At threshold ${threshold.toFixed(2)}: recall ${share(hits, positives)}, `
      + `false alarms ${share(alarms, negatives)}, precision ${share(hits, hits + alarms)}. `
      + `Area under the curve ${short(roc.auc)}.`;
    text(told, words);
    byId("threshold").setAttribute("aria-valuetext", threshold.toFixed(2));
  }

  drawCalibration(bins) {
    const { ctx, place } = square(this.calibration, this.colours, "predicted probability",
      "share that is true");
    text(byId("calibration-text"), bins
      ? "On the dotted line, what is called 70 % likely happens in 70 % of the cases. "
        + "Larger dots stand for more points."
      : "Calibration is for classes.");
    const most = Math.max(1, ...(bins ?? []).map(([, , n]) => n));
    for (const [mean, positives, n] of bins ?? []) {
      const radius = n ? 3 + 7 * Math.sqrt(n / most) : 0;
      dot(ctx, ...place(mean, positives), radius, this.colours.classes[1]);
    }
  }

  fillConfusion(confusion) {
    const [table, none] = [byId("confusion"), byId("confusion-none")];
    table.hidden = !confusion;
    none.hidden = Boolean(confusion);
    if (!confusion) return;
    const names = confusion.map((_, i) => this.classes[i] ?? `class ${i}`);
    const head = (textContent, scope) => make("th", { scope, textContent });
    if (table.dataset.names !== names.join()) {
      table.dataset.names = names.join();
      table.tHead.replaceChildren(make("tr", {}, head("true ↓  said →", "col"),
        ...names.map((name) => head(name, "col"))));
      table.tBodies[0].replaceChildren(...names.map((name) => make("tr", {}, head(name, "row"),
        ...names.map(() => make("td")))));
    }
    confusion.forEach((row, i) => row.forEach((n, j) => {
      const cell = table.tBodies[0].rows[i].cells[j + 1];
      if (cell.textContent === String(n)) return;
      cell.textContent = n;
      const all = row.reduce((sum, value) => sum + value, 0) || 1;
      cell.style.setProperty("--share", `${Math.round((40 * n) / all)}%`);
    }));
  }
}
