// The page: its settings and buttons, and the pictures that show.js asks for and has drawn.

import { legend, palette, short } from "./draw.js";
import { setUpFile, setUpScript, setUpShare } from "./exchange.js";
import { Form, make, toLink } from "./form.js";
import { Layers } from "./layers.js";
import { Panels } from "./panels.js";
import { Show } from "./show.js";
import { Sketch } from "./sketch.js";
import { fillTables } from "./table.js";
import { byId, Telling, text } from "./telling.js";
import { Gone, getFrame, getJson, Mailbox, post } from "./transport.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const canvases = ["boundary", "network", "loss", "ladder"].map((id) => [id, byId(id)]);
const show = new Show(Object.fromEntries(canvases),
  (query) => getFrame({ ...query, rows: byId("rows").value }), tell, report);
const telling = new Telling((finding) => act("fix", { finding }));
const panels = new Panels();
const sketch = new Sketch(byId("boundary"), { draw, speak: (words) => telling.speak(words),
  redraw: () => show.poke() });
show.over = (view) => sketch.over(view.ctx, view, show.colours);
const writeShare = setUpShare();

let fields = [];
let settings = null;
let form;
let layers;
let later; // when the link is written
let latest = ""; // names of the latest change: one slide of a slider is one step back
let table = false; // whether a file of one's own has been given
let awaited = false; // whether it has been asked for
const seen = {}; // versions of settings and data that the page has

const changes = new Mailbox("set", (answer, sent) => {
  const names = Object.keys(sent).join();
  adopt(answer, names === latest ? "replaceState" : "pushState");
  latest = names;
}, (error) => {
  report(error);
  seen.settings = null;
});
const drawing = new Mailbox("points", (answer) => adopt(answer), report);
const rewinding = new Mailbox("rewind", (answer) => adopt(answer), report);

/** Says what went wrong; a server that is gone, once and with a way back. */
function report(error) {
  const gone = error instanceof Gone;
  byId(gone ? "gone" : "message").hidden = false;
  text(byId(gone ? "gone-why" : "message-text"), error.message);
  if (gone) show.open = false;
  else if (!show.open && settings) setTimeout(() => show.start(), 1000);
}

/** Takes settings of the server, unless newer ones are on their way to it. */
function use(now, how) {
  if (changes.waiting) return;
  settings = now;
  showSettings();
  writeLink(how);
}

function showSettings() {
  table ||= settings.data === "csv";
  awaited &&= !table;
  form.apply(awaited ? { ...settings, data: "csv" } : settings);
  layers.apply(settings);
  show.names = settings.features;
  byId("upload").hidden = settings.data !== "csv" && !awaited;
}

/** Writes the link; `how` is pushState for a step that the back button undoes. A link that only
 * follows is written once all is still: browsers write few addresses a second, and slowly. */
function writeLink(how) {
  clearTimeout(later);
  const write = () => {
    const link = toLink(fields, settings);
    if (link === location.hash.slice(1)) return;
    history[how](null, "", link ? `#${link}` : location.pathname);
    writeShare();
  };
  if (how === "pushState") write();
  else later = setTimeout(write, 200);
}

/** Takes what the server answers to a change. */
function adopt(answer, how = "pushState") {
  byId("message").hidden = true;
  if (["net", "data"].includes(answer.effect)) byId("findings").style.minHeight = "";
  if (answer.effect === "data") awaited = false;
  if (answer.settings) use(answer.settings, how);
  show.poke();
}

/** Takes what a person changes in the form, and sends it. */
function change(names) {
  if (names.data) awaited = names.data === "csv" && !table;
  if (names.data && awaited) { // first the file: nothing to send yet
    showSettings();
    byId("csv-file").focus();
    return;
  }
  settings = { ...settings, ...names };
  const { activations: words, layers: { length } } = settings;
  settings.activations = [...words, ...Array(length).fill(words.at(-1) ?? "relu")].slice(0, length);
  showSettings();
  changes.put(names);
}

/** Posts as docs/playground.md says, and takes the answer. */
async function act(path, body = {}, how = undefined) {
  try {
    adopt(await post(path, body), how);
  } catch (error) {
    report(error);
  }
}

/** Shows points that have been drawn, all as training points at first, and sends them. */
function draw(points) {
  const labels = [...new Set(points.map((point) => point[2]))].sort();
  const number = settings.task === "regression";
  show.data = { ...show.data, version: "drawn", classes: number ? [] : labels,
    points: points.map(([x1, x2, label]) => [x1, x2, number ? label : labels.indexOf(label), 1]) };
  show.poke();
  if (points.length > 1) drawing.put({ points }); // one is too few to learn from
}

/** Fetches what a frame says has changed. */
async function refresh(state) {
  try {
    if (state.data !== seen.data) {
      seen.data = state.data;
      const data = await getJson("data");
      if (!drawing.busy) useData(data);
    }
    if (state.settings !== seen.settings && !changes.busy) {
      seen.settings = state.settings;
      use(await getJson("settings"), "replaceState");
      if (show.data && !drawing.busy) useData(show.data);
    }
  } catch (error) {
    report(error);
  }
}

function useData(data) {
  show.data = data;
  text(byId("data-title"), data.title);
  legend(byId("legend"), data, show.colours);
  sketch.apply(settings.data === "drawn", data);
  if (data.columns.length) {
    form.offer("column_1", data.columns);
    form.offer("column_2", data.columns);
  }
  show.poke();
}

/** Hears of every frame. */
function tell(sights) {
  const { state } = sights;
  if (state.data !== seen.data || state.settings !== seen.settings) refresh(state);
  telling.rewinding = rewinding.busy;
  if (!telling.tell(sights)) return;
  panels.update(state, show.data?.classes ?? [], show.colours);
  if (byId("table").open) fillTables(state, show.curve);
}

function setUpButtons(presets) {
  const run = () => act("run", { running: !show.sights.running });
  const on = (id, event, listen) => byId(id).addEventListener(event, listen);
  on("run", "click", run);
  on("reset", "click", () => act("reset"));
  for (const n of [1, 10, 100]) on(`step-${n}`, "click", () => act("step", { n }));
  byId("presets").append(...presets.map(({ name, title, help }) =>
    make("button", { type: "button", id: `preset-${name}`, textContent: title, title: help,
      on: { click: () => {
        text(byId("preset-help"), help);
        act("preset", { name });
      } } })));
  on("rewind", "input", ({ target }) => {
    const step = telling.steps[target.value];
    text(byId("rewind-text"), `step ${short(step)}`);
    target.setAttribute("aria-valuetext", `step ${short(step)}`);
    rewinding.put({ step });
  });
  on("edges", "change", ({ target }) => {
    show.edges = target.value;
    show.poke();
  });
  on("rows", "change", () => show.poke());
  on("table", "toggle", () => show.poke());
  on("message-close", "click", () => { byId("message").hidden = true; });
  document.addEventListener("keydown", (event) => {
    if (document.activeElement !== document.body || event.ctrlKey || event.metaKey) return;
    if (event.key === " ") run();
    else if (event.key.toLowerCase() === "r") act("reset");
    else return;
    event.preventDefault();
  });
  addEventListener("hashchange", async ({ newURL }) => { // location may be written meanwhile
    await act("link", { link: new URL(newURL).hash }, "replaceState");
    writeLink("replaceState"); // of the settings of now, where that link was refused
  });
}

function colour() {
  show.colours = palette(dark.matches);
  if (show.data) legend(byId("legend"), show.data, show.colours);
  show.poke();
}

/** Fetches schema and settings, and begins; again after the server was gone. */
async function begin() {
  byId("gone").hidden = true;
  const link = location.hash;
  try {
    const [schema, now] = await Promise.all([getJson("schema"), getJson("settings")]);
    settings = now;
    if (!form) {
      fields = schema.fields;
      form = new Form(fields, change);
      layers = new Layers(byId("layers"), fields, change);
      setUpButtons(schema.presets);
      setUpScript(report);
      setUpFile(adopt, report);
    }
    showSettings();
    Object.assign(seen, { settings: null, data: null });
    if (link.length > 1) await act("link", { link }, "replaceState");
    writeLink("replaceState");
    show.start();
  } catch (error) {
    report(error);
  }
}

colour();
dark.addEventListener("change", colour);
byId("reconnect").addEventListener("click", begin);
setInterval(() => {
  text(byId("fps"), String(show.drawn));
  show.drawn = 0;
}, 1000);
begin();
