// The views in a notebook, as an anywidget. Notebooks load one module: fastnn/learn/live.py joins
// draw.js, show.js and this one, so imports here and there take one line each.

import { FONT, legend, palette, short } from "./draw.js";
import { Show } from "./show.js";

const STYLE = `
.fastnn-live { font: 14px/1.4 ${FONT}; }
.fastnn-live canvas { display: block; width: 100%; }
.fastnn-live .views { display: grid; gap: 8px 16px; margin: 8px 0;
  grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); }
.fastnn-live .boundary { aspect-ratio: 1; max-width: 460px; }
.fastnn-live .network { height: 320px; }
.fastnn-live .loss, .fastnn-live .ladder { height: 190px; }
.fastnn-live button { font: inherit; margin-right: 6px; padding: 4px 12px; cursor: pointer;
  color: inherit; background: none; border: 1px solid #8a8f98; border-radius: 6px; }
.fastnn-live .legend { display: flex; flex-wrap: wrap; gap: 2px 12px; font-size: 12px; }
.fastnn-live .mark { display: inline-block; width: 10px; height: 10px; margin-right: 4px; }
.fastnn-live .full, .fastnn-live .ring { border: 2px solid; border-radius: 50%; width: 7px; }
.fastnn-live .full { background: currentColor; } .fastnn-live .mark { height: 7px; }
.fastnn-live .line { height: 0; border-top: 2px solid; width: 14px; vertical-align: middle; }`;
const TALK = {
  boundary: "What the network says of every place, and the points.",
  network: "The network: maps of its units, and its weights.",
  loss: "Training and validation loss over steps.",
  ladder: "Norm of the gradient of each layer.",
};

/** Whether what lies behind an element is dark: notebooks have themes of their own. */
function onDark(el) {
  const ctx = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  for (let behind = el; behind; behind = behind.parentElement ?? behind.getRootNode().host) {
    ctx.fillStyle = getComputedStyle(behind).backgroundColor;
    ctx.fillRect(0, 0, 1, 1);
    const [r, g, b, opaque] = ctx.getImageData(0, 0, 1, 1).data;
    if (opaque > 127) return r + g + b < 384;
  }
  return false;
}

/** The widget of a notebook: the views of `show`, and buttons to run, step and start again. */
function render({ model, el }) {
  const make = (tag, properties, ...children) => {
    const found = Object.assign(document.createElement(tag), properties);
    found.append(...children);
    return found;
  };
  const act = (message) => {
    model.send(message);
    show.poke();
  };
  const button = (label, message) =>
    make("button", { type: "button", textContent: label, onclick: () => act(message()) });
  let answer = null;
  const ask = ({ views, ...query }) => new Promise((resolve) => {
    answer = resolve;
    model.send({ type: "frame", ...query, views: views ? views.split(",") : [] });
  });
  const heard = (content, buffers) => content.type === "frame" && answer?.(buffers[0]);
  const canvases = Object.fromEntries((model.get("show") ?? Object.keys(TALK)).map((name) =>
    [name, make("canvas", { className: name, role: "img", ariaLabel: TALK[name] })]));
  const run = button("Run", () => ({ type: "run", running: !show.sights.running }));
  const text = make("span", {});
  const key = make("div", { className: "legend" });
  const show = new Show(canvases, ask, ({ running, state }) => {
    run.textContent = running ? "Pause" : "Run";
    text.textContent = `step ${short(state.step)}, loss ${short(state.loss)}`;
  }, (error) => { text.textContent = error.message; });
  const follow = () => {
    show.colours = palette(onDark(el));
    show.data = model.get("data");
    show.names = show.data.axes;
    if (canvases.boundary) legend(key, show.data, show.colours);
    show.poke();
  };
  el.append(make("div", { className: "fastnn-live" }, make("style", { textContent: STYLE }),
    run, button("Step", () => ({ type: "step", n: 1 })),
    button("Step 100", () => ({ type: "step", n: 100 })),
    button("Reset", () => ({ type: "reset" })), text,
    make("div", { className: "views" }, ...Object.values(canvases)), key));
  model.on("msg:custom", heard);
  model.on("change:data", follow);
  requestAnimationFrame(follow); // once it is in the page, and has a background
  show.start();
  return () => {
    model.off("msg:custom", heard);
    model.off("change:data", follow);
    show.close();
  };
}

export default { render };
