// The numbers behind the pictures, as tables, for those who read rather than see.

import { short } from "./draw.js";
import { make } from "./form.js";
import { text } from "./telling.js";

const LATEST = 10; // points of the curve

/** Writes rows of text into a table's body; touches only what differs. */
function fill(id, rows) {
  const body = document.getElementById(id).tBodies[0];
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  rows.forEach((row, i) => {
    body.rows[i] ?? body.append(make("tr", {}, make("th", { scope: "row" }),
      ...row.slice(1).map(() => make("td"))));
    row.forEach((words, j) => text(body.rows[i].cells[j], words));
  });
}

const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)} %`);

/** Writes a state and the end of the curve into the tables. */
export function fillTables(state, curve) {
  fill("table-layers", state.layers.map((layer) => [layer.name, String(layer.units),
    layer.activation, short(layer.gradient_norm), short(layer.weight_norm),
    short(layer.update_ratio), percent(layer.dead), percent(layer.saturated)]));
  fill("table-metrics", [
    ["status", state.why ? `${state.status}: ${state.why}` : state.status, ""],
    ["step", short(state.step), ""],
    ["epoch", short(state.epoch), ""],
    ["loss", short(state.loss), short(state.val_loss)],
    [state.score_name, short(state.score), short(state.val_score)],
  ]);
  const start = Math.max(0, curve.length - LATEST);
  fill("table-curve", Array.from({ length: curve.length - start }, (_, i) =>
    [...curve.rows.subarray(3 * (start + i), 3 * (start + i) + 3)].map(short)));
}
