// The page: settings, buttons and read-outs around the pictures, which draw.js asks for and draws.

import { legend, palette, short, Show } from "./draw.js";
import { setUpFile, setUpScript, setUpShare } from "./exchange.js";
import { Form, make, toLink } from "./form.js";
import { Layers } from "./layers.js";
import { Panels } from "./panels.js";
import { Sketch } from "./sketch.js";
import { fillTables } from "./table.js";
import { Gone, getFrame, getJson, post } from "./transport.js";

const byId = (id) => document.getElementById(id);
const SPEAK = 5000; // milliseconds between two reports while running
const dark = matchMedia("(prefers-color-scheme: dark)");

let fields = [];
let settings = null;
let pending = null; // changes that have not been sent
let sending = false;
let changed = ""; // names of the latest change: one slide of a slider is one step back
const seen = { settings: null, data: null, status: "", findings: "", spoken: 0, told: 0, rewind: 0 };
let form;
let layers;

const show = new Show(
  Object.fromEntries(["boundary", "network", "loss", "ladder"].map((id) => [id, byId(id)])),
  (query) => getFrame({ ...query, rows: byId("rows").value }), tell, report);
const panels = new Panels();
const sketch = new Sketch(byId("boundary"), { speak, redraw: () => show.poke(), draw: drawPoints });
show.over = (view) => sketch.over(view.ctx, view, show.colours);
const writeShare = setUpShare();
setUpScript(report);
setUpFile(adopt, report);

function text(id, value) {
  const element = byId(id);
  if (element.textContent !== value) element.textContent = value;
}

function speak(words) {
  seen.spoken = performance.now();
  text("status", words);
}

/** Says what went wrong; a server that is gone, once and with a way back. */
function report(error) {
  if (error instanceof Gone) {
    show.open = false;
    byId("gone").hidden = false;
    text("gone-why", error.message);
    return;
  }
  byId("message").hidden = false;
  text("message-text", error.message);
  if (!show.open && settings) setTimeout(() => show.start(), 1000);
}

/** Shows settings in the form and in the link. */
function showSettings() {
  form.apply(settings);
  layers.apply(settings);
  show.names = settings.features;
  byId("upload").hidden = settings.data !== "csv";
  seen.csv ||= settings.data === "csv";
}

function writeLink(how) {
  const link = toLink(fields, settings);
  if (link !== location.hash.slice(1)) {
    history[how](null, "", link ? `#${link}` : location.pathname);
    writeShare();
  }
}

/** Takes what the server answers to a change. */
function adopt(answer, how = "pushState") {
  byId("message").hidden = true;
  if (pending) return;
  if (answer.effect === "net" || answer.effect === "data") byId("findings").style.minHeight = "";
  if (answer.settings) {
    settings = answer.settings;
    showSettings();
    writeLink(how);
  }
  show.poke();
}

/** Sends changes by and by: those that come while others are on their way go together. */
async function change(changes) {
  if (changes.data === "csv" && !seen.csv) { // first the file: nothing to send yet
    byId("upload").hidden = false;
    byId("csv-file").focus();
    return;
  }
  const depth = (changes.layers ?? settings.layers).length;
  const words = changes.activations ?? settings.activations;
  settings = { ...settings, ...changes,
    activations: [...words, ...Array(depth).fill(words.at(-1) ?? "relu")].slice(0, depth) };
  pending = { ...pending, ...changes };
  showSettings();
  if (sending) return;
  sending = true;
  while (pending) {
    const [now, names] = [pending, Object.keys(pending).join()];
    pending = null;
    try {
      adopt(await post("set", now), names === changed ? "replaceState" : "pushState");
      changed = names;
    } catch (error) {
      report(error);
      seen.settings = null;
    }
  }
  sending = false;
}

/** Does something and takes the answer; `path` and `body` as in docs/playground.md. */
async function act(path, body, how) {
  try {
    const answer = await post(path, body);
    adopt(answer, how);
  } catch (error) {
    report(error);
  }
}

let waiting = null; // points that have not been sent
async function drawPoints(points) {
  show.data = { ...show.data, points: points.map((point) => [...point, 1]), version: "drawn" };
  if (settings.task !== "regression") show.data.classes = Array.from({ length: 10 }, (_, i) => `${i}`);
  show.poke();
  if (points.length < 2) return; // too few to learn from
  const busy = waiting;
  waiting = points;
  if (busy) return;
  while (waiting) {
    const now = waiting;
    await act("points", { points: now });
    if (waiting === now) waiting = null;
  }
}

let rewinding = null;
async function rewind(step) {
  const busy = rewinding !== null;
  rewinding = step;
  text("rewind-text", `step ${short(step)}`);
  if (busy) return;
  for (let now = null; now !== rewinding;) {
    now = rewinding;
    await act("rewind", { step: now });
  }
  rewinding = null;
}

/** Fetches what a frame says has changed. */
async function refresh(state) {
  try {
    if (state.data !== seen.data) {
      seen.data = state.data;
      const data = await getJson("data");
      if (!waiting) useData(data);
    }
    if (state.settings !== seen.settings && !sending) {
      seen.settings = state.settings;
      const now = await getJson("settings");
      if (!sending) adopt({ settings: now }, "replaceState");
      if (show.data) useData(show.data);
    }
  } catch (error) {
    report(error);
  }
}

function useData(data) {
  show.data = data;
  text("data-title", data.title);
  legend(byId("legend"), data, show.colours);
  sketch.apply(settings.data === "drawn", data);
  if (data.columns.length) {
    form.offer("column_1", data.columns);
    form.offer("column_2", data.columns);
  }
  show.poke();
}

/** Hears of every frame: words and numbers, ten times a second at most. */
function tell({ state, running }) {
  const now = performance.now();
  if (state.data !== seen.data || state.settings !== seen.settings) refresh(state);
  if (running && now - seen.told < 100) return;
  seen.told = now;
  text("run", running ? "Pause" : "Run");
  text("step", short(state.step));
  text("epoch", short(Math.floor(state.epoch)));
  text("training-loss", short(state.loss));
  text("validation-loss", short(state.val_loss));
  text("score-name", `${state.score_name} train / val.`);
  text("score", `${short(state.score)} / ${short(state.val_score)}`);
  text("rate", short(running ? state.steps_per_second : 0));
  text("state", state.status);
  text("why", state.why);
  byId("state").dataset.status = state.status;
  tellRewind(state);
  if (running && now - seen.rested < 300) return;
  seen.rested = now;
  tellFindings(state.findings);
  panels.update(state, show.data?.classes ?? [], show.colours);
  if (byId("table").open) fillTables(state, show.curve);
  const kinds = state.findings.map(({ kind, layer }) => `${kind} ${layer}`).join();
  if (kinds !== seen.findings) { // what is below stays where it is when findings come and go
    byId("findings").style.minHeight = `${byId("findings").offsetHeight}px`;
  }
  const news = state.status !== seen.status || (kinds !== seen.findings && kinds);
  if (news || (running && now - seen.spoken > SPEAK)) speak(summary(state));
  [seen.status, seen.findings] = [state.status, kinds];
}

function summary({ status, why, step, loss, layers: rows, findings }) {
  const dead = rows.reduce((sum, row) => sum + Math.round((row.dead ?? 0) * row.units), 0);
  return [`${status}${why ? `, ${why}` : ""}: step ${short(step)}, loss ${short(loss)}, `
    + `${dead} dead ${dead === 1 ? "unit" : "units"}.`, ...findings.map((one) => one.text)].join(" ");
}

function tellRewind({ rewind: steps, step }) {
  const bar = byId("rewind");
  seen.steps = steps;
  bar.disabled = steps.length < 2;
  if (rewinding !== null) return;
  bar.max = Math.max(1, steps.length - 1);
  bar.value = Math.max(0, steps.findLastIndex((at) => at <= step));
  text("rewind-text", `step ${short(step)}`);
  bar.setAttribute("aria-valuetext", `step ${short(step)}`);
}

/** One entry a finding; an entry stays the same element as long as the finding stays. */
function tellFindings(findings) {
  const list = byId("findings");
  const old = new Map([...list.children].map((entry) => [entry.dataset.key, entry]));
  byId("healthy").hidden = findings.length > 0;
  findings.forEach(({ kind, layer, severity, text: words, remedy, fix }, index) => {
    const key = `${kind} ${layer}`;
    const entry = old.get(key) ?? make("li", { "data-key": key }, make("strong"), make("p"),
      make("p", { className: "remedy" }), make("button", { type: "button",
        textContent: "Apply the fix", on: { click: () => act("fix", { finding: kind }) } }));
    old.delete(key);
    const [title, what, how, button] = entry.children;
    for (const [part, value] of [[title, severity], [what, words], [how, remedy]]) {
      if (part.textContent !== value) part.textContent = value;
    }
    entry.className = severity;
    button.hidden = !fix;
    if (list.children[index] !== entry) list.insertBefore(entry, list.children[index] ?? null);
  });
  old.forEach((entry) => entry.remove());
}

function setUpButtons(presets) {
  const run = () => act("run", { running: !show.sights.running });
  const reset = () => act("reset", {});
  byId("run").addEventListener("click", run);
  byId("reset").addEventListener("click", reset);
  for (const n of [1, 10, 100]) {
    byId(`step-${n}`).addEventListener("click", () => act("step", { n }));
  }
  byId("presets").append(...presets.map(({ name, title, help }) =>
    make("button", { type: "button", id: `preset-${name}`, textContent: title, title: help,
      on: { click: () => {
        text("preset-help", help);
        act("preset", { name });
      } } })));
  byId("rewind").addEventListener("input", ({ target }) => rewind(seen.steps[target.value]));
  byId("edges").addEventListener("change", ({ target }) => {
    show.edges = target.value;
    show.poke();
  });
  byId("rows").addEventListener("change", () => show.poke());
  byId("table").addEventListener("toggle", () => show.poke());
  byId("message-close").addEventListener("click", () => { byId("message").hidden = true; });
  document.addEventListener("keydown", (event) => {
    if (document.activeElement !== document.body || event.ctrlKey || event.metaKey) return;
    if (event.key === " ") run();
    else if (event.key.toLowerCase() === "r") reset();
    else return;
    event.preventDefault();
  });
  addEventListener("hashchange", () => act("link", { link: location.hash }, "replaceState"));
}

function colour() {
  show.colours = palette(dark.matches);
  if (show.data) legend(byId("legend"), show.data, show.colours);
  show.poke();
}

async function begin() {
  byId("gone").hidden = true;
  const asked = location.hash.length > 1;
  try {
    const [schema, now] = await Promise.all([getJson("schema"),
      asked ? post("link", { link: location.hash }) : getJson("settings")]);
    settings = asked ? now.settings : now;
    if (!form) {
      fields = schema.fields;
      form = new Form(fields, change);
      layers = new Layers(byId("layers"), fields, change);
      setUpButtons(schema.presets);
    }
    showSettings();
    writeLink("replaceState");
    Object.assign(seen, { settings: null, data: null });
    show.start();
  } catch (error) {
    report(error);
  }
}

colour();
dark.addEventListener("change", colour);
byId("reconnect").addEventListener("click", begin);
setInterval(() => {
  text("fps", String(show.drawn));
  show.drawn = 0;
}, 1000);
begin();
