// Decodes frames, draws them, and asks for the next: boundary, network, losses, gradient ladder.
// Imports nothing, so that a notebook can load it alone: the default export is an anywidget.

const THEMES = {
  light: {
    paper: "#ffffff", ink: "#1a2027", muted: "#58626e", grid: "#e1e5ea", bar: "#5b6b7d",
    validation: "#a01f6d", strength: 0.5,
    classes: ["#e69f00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442",
      "#6b4c2a", "#7f8790", "#1a2027"],
  },
  dark: {
    paper: "#14181d", ink: "#e9ecef", muted: "#a5afba", grid: "#2b323a", bar: "#8b9aab",
    validation: "#f08cc6", strength: 0.45,
    classes: ["#f0a81e", "#3d9be0", "#1fbf91", "#dd8ebb", "#8fd0f5", "#f0762b", "#f0e442",
      "#b08a5f", "#98a1ab", "#e9ecef"],
  },
};
const MAP = 24; // a neuron's map: MAP x MAP pixels, GAP empty ones below it in the atlas
const GAP = 4;
const REST = 250; // milliseconds between two questions while nothing moves
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Shortens a number to what one can read: 0.0312, 12,480, 3.1e-7. */
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e6) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(3));
}

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const blend = (from, to, share) => from.map((v, i) => Math.round(v + (to[i] - v) * share));
const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
const ramp = (colour) => Uint32Array.from({ length: 256 }, (_, byte) => packed(colour(byte)));

/** Colours of a theme, with tables that turn a byte of a frame into a pixel. */
export function palette(dark) {
  const theme = THEMES[dark ? "dark" : "light"];
  const paper = rgb(theme.paper);
  const [low, high] = theme.classes.map(rgb);
  const scale = (byte, strength) =>
    blend(paper, byte < 128 ? low : high, (Math.abs(byte - 127.5) / 127.5) * strength);
  return {
    ...theme,
    dark,
    scale: ramp((byte) => scale(byte, theme.strength)),
    unit: ramp((byte) => scale(byte, 0.95)),
    fields: theme.classes.map(rgb).map((colour) =>
      ramp((byte) => blend(paper, colour, theme.strength * Math.max(0.12, byte / 180 - 0.42)))),
    of: (share) => `rgb(${scale(Math.max(0, Math.min(255, share * 255)), 1).join(" ")})`,
  };
}

/** Reads one binary frame; sections that are not in it are not in the object. */
export function decode(view) {
  if (view.getUint32(0) !== 0x464e4e46) throw new Error("What came is not a frame.");
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const frame = { running: (view.getUint32(8, true) & 1) === 1 };
  for (let left = view.getUint16(6, true), at = 32; left > 0; left -= 1) {
    const [type, size] = [view.getUint16(at, true), view.getUint32(at + 4, true)];
    const shape = [8, 12, 16, 20].map((place) => view.getUint32(at + place, true));
    const body = bytes.slice(at + 24, at + 24 + size);
    if (type === 1) frame.state = JSON.parse(new TextDecoder().decode(body));
    if (type === 2) frame.boundary = { shape, bytes: body };
    if (type === 3) frame.neurons = { shape, bytes: body };
    if (type === 4) (frame.edges ??= []).push({ shape, values: new Float32Array(body.buffer) });
    if (type === 5) frame.curve = new Float32Array(body.buffer);
    at += 24 + Math.ceil(size / 8) * 8;
  }
  return frame;
}

/** The losses so far, as rows of (step, training, validation). */
export class Curve {
  rows = new Float32Array(3072);
  length = 0;
  version = null;

  /** Adds what a frame brings; what does not join on is dropped, and all is asked for again. */
  take({ start, version }, rows) {
    if (start > this.length || (start > 0 && version !== this.version)) {
      this.length = 0;
      return;
    }
    this.length = start + rows.length / 3;
    this.version = version;
    if (this.rows.length < this.length * 3) {
      const old = this.rows;
      this.rows = new Float32Array(this.length * 6);
      this.rows.set(old);
    }
    this.rows.set(rows, start * 3);
  }
}

/** A canvas that knows its size, whether it is on the screen, and what it keeps between frames. */
export class View {
  visible = false;
  width = 0;

  constructor(canvas, changed) {
    this.canvas = canvas;
    this.ctx = canvas.getContext("2d");
    this.sizes = new ResizeObserver((entries) => {
      const { width, height } = entries.at(-1).contentRect;
      this.scale = Math.min(2, window.devicePixelRatio || 1);
      [this.width, this.height, this.key] = [width, height, null];
      canvas.width = Math.max(1, Math.round(width * this.scale));
      canvas.height = Math.max(1, Math.round(height * this.scale));
      changed();
    });
    this.sights = new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      changed();
    });
    this.sizes.observe(canvas);
    this.sights.observe(canvas);
  }

  clear(colours, ctx = this.ctx) {
    ctx.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    ctx.fillStyle = colours.paper;
    ctx.fillRect(0, 0, this.width, this.height);
    ctx.font = `12px ${FONT}`;
    return ctx;
  }

  /** A picture of its own, repainted only where `key` has changed. */
  kept(key, paint) {
    this.under ??= document.createElement("canvas");
    if (this.key !== key) {
      this.key = key;
      [this.under.width, this.under.height] = [this.canvas.width, this.canvas.height];
      const ctx = this.under.getContext("2d");
      ctx.setTransform(this.scale, 0, 0, this.scale, 0, 0);
      paint(ctx);
    }
    return this.under;
  }

  /** Pixels to write, of the given size, and a canvas to draw them from. */
  raster(width, height) {
    if (this.pixels?.image.width !== width || this.pixels.image.height !== height) {
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const ctx = canvas.getContext("2d");
      const image = ctx.createImageData(width, height);
      this.pixels = { canvas, ctx, image, words: new Uint32Array(image.data.buffer) };
    }
    return this.pixels;
  }

  close() {
    this.sizes.disconnect();
    this.sights.disconnect();
  }
}

function write(ctx, text, x, y, colour, align = "left") {
  ctx.textAlign = align;
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

/** Fills a circle. */
export function dot(ctx, x, y, radius, colour) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fillStyle = colour;
  ctx.fill();
}

/** Traces the line where p = 0.5, or where the likeliest class changes. */
function traceBorder(ctx, { shape, bytes }, width, height) {
  const [side, , several] = shape;
  const value = several ? (i) => bytes[2 * i] : (i) => bytes[i];
  const kind = several ? value : (i) => bytes[i] >> 7;
  const chance = (i) => Math.max(0.5, bytes[2 * i + 1] - 127.5);
  const share = several ? (a, b) => chance(a) / (chance(a) + chance(b))
    : (a, b) => (127.5 - value(a)) / (value(b) - value(a));
  const [dx, dy] = [width / side, height / side];
  ctx.beginPath();
  for (let row = 0; row < side - 1; row += 1) {
    for (let column = 0; column < side - 1; column += 1) {
      const a = row * side + column;
      const [b, c, d] = [a + 1, a + side, a + side + 1];
      const [ka, kb, kc, kd] = [kind(a), kind(b), kind(c), kind(d)];
      if (ka === kb && kb === kc && kc === kd) continue;
      const [x, y, ends] = [column + 0.5, row + 0.5, []];
      if (ka !== kb) ends.push([x + share(a, b), y]);
      if (kc !== kd) ends.push([x + share(c, d), y + 1]);
      if (ka !== kc) ends.push([x, y + share(a, c)]);
      if (kb !== kd) ends.push([x + 1, y + share(b, d)]);
      const meet = ends.length === 2 ? ends.pop() : [x + 0.5, y + 0.5];
      for (const [u, v] of ends) {
        ctx.moveTo(u * dx, v * dy);
        ctx.lineTo(meet[0] * dx, meet[1] * dy);
      }
    }
  }
  ctx.stroke();
}

/** Colour of a point: its class, or its place between the lowest and the highest target. */
export function pointColour(data, target, colours) {
  if (data.classes.length) return colours.classes[target % colours.classes.length];
  return colours.of((target - data.range[0]) / (data.range[1] - data.range[0] || 1));
}

function paintPoints(ctx, view, data, colours) {
  const [left, right, bottom, top] = data.bounds;
  const radius = Math.max(2.4, Math.min(4.6, view.width / 105));
  const groups = new Map();
  for (const [x1, x2, target, training] of data.points) {
    const key = `${pointColour(data, target, colours)}|${training ? 1 : 0}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push([((x1 - left) / (right - left)) * view.width,
      ((top - x2) / (top - bottom)) * view.height]);
  }
  for (const [key, places] of [...groups].sort()) {
    const [colour, training] = key.split("|");
    ctx.beginPath();
    for (const [x, y] of places) {
      ctx.moveTo(x + radius, y);
      ctx.arc(x, y, radius, 0, 2 * Math.PI);
    }
    const number = !data.classes.length; // pale colours, too, must be seen: rings of ink
    const full = training === "1";
    ctx.fillStyle = full || number ? colour : colours.paper;
    ctx.strokeStyle = number ? colours.ink : full ? colours.paper : colour;
    ctx.lineWidth = full ? 0.8 : 1.8;
    ctx.fill();
    ctx.stroke();
  }
  ctx.font = `600 12px ${FONT}`;
  ctx.lineWidth = 3;
  ctx.strokeStyle = colours.paper;
  for (const [text, x, y, align] of [
    [`${data.axes[0]} → ${short(right)}`, view.width - 8, view.height - 8, "right"],
    [`${short(left)}, ${short(bottom)}`, 8, view.height - 8, "left"],
    [`${short(top)} ↑ ${data.axes[1]}`, 8, 18, "left"]]) {
    ctx.textAlign = align;
    ctx.strokeText(text, x, y);
    write(ctx, text, x, y, colours.ink, align);
  }
}

/** What the network says of every place, the line where it changes its mind, and the points. */
export function drawBoundary(view, grid, data, colours) {
  const ctx = view.clear(colours);
  const number = data && !data.classes.length;
  if (grid) {
    const [side, , several] = grid.shape;
    const { canvas, ctx: inner, image, words } = view.raster(side, side);
    for (let i = 0; i < words.length; i += 1) {
      words[i] = several ? colours.fields[grid.bytes[2 * i] % 10][grid.bytes[2 * i + 1]]
        : colours.scale[grid.bytes[i]];
    }
    inner.putImageData(image, 0, 0);
    ctx.drawImage(canvas, 0, 0, view.width, view.height);
    ctx.strokeStyle = colours.ink;
    ctx.lineWidth = 1.3;
    if (!number) traceBorder(ctx, grid, view.width, view.height);
  }
  if (!data) return;
  const points = view.kept([data.version, data.points.length, colours.dark].join(),
    (under) => paintPoints(under, view, data, colours));
  ctx.drawImage(points, 0, 0, view.width, view.height);
}

/** Units as small maps of what they see; lines between them by weight, gradient or change. */
export function drawNetwork(view, { edges, neurons, state }, names, colours) {
  const ctx = view.clear(colours);
  const { shown, layers } = state;
  const maps = shown.flat().length;
  if (edges?.length !== shown.length + 1 || (maps && neurons?.shape[0] !== maps)) return;
  const counts = [edges[0].shape[1], ...edges.map((part) => part.shape[2])];
  const [left, right, head] = [view.width < 480 ? 46 : 60, view.width < 480 ? 16 : 34, 34];
  const gap = (view.width - left - right) / (counts.length - 1);
  const pitch = Math.min(44, (view.height - head - 6) / Math.max(...counts));
  const size = Math.min((pitch * MAP) / (MAP + GAP), gap * 0.62);
  const x = (column) => left + column * gap;
  const y = (column, unit) =>
    head + (view.height - head) / 2 + (unit - (counts[column] - 1) / 2) * pitch;
  const half = (column) => (column === 0 || column === counts.length - 1 ? 5 : size / 2);

  const bins = Array.from({ length: 8 }, () => []); // by sign and size, so that eight strokes do
  edges.forEach(({ shape: [, ins, outs], values }, layer) => {
    const peak = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
    for (let from = 0; from < ins; from += 1) {
      for (let to = 0; to < outs; to += 1) {
        const value = values[from * outs + to] / peak;
        const bin = Math.min(3, Math.floor(Math.abs(value) * 4));
        if (Math.abs(value) > 0.03) bins[bin + (value > 0 ? 4 : 0)].push(layer, from, to);
      }
    }
  });
  bins.forEach((bin, index) => {
    ctx.strokeStyle = colours.classes[index < 4 ? 0 : 1];
    ctx.globalAlpha = [0.35, 0.6, 0.85, 1][index % 4];
    ctx.lineWidth = [0.6, 1.1, 1.9, 3][index % 4];
    ctx.beginPath();
    for (let i = 0; i < bin.length; i += 3) {
      const layer = bin[i];
      ctx.moveTo(x(layer) + half(layer), y(layer, bin[i + 1]));
      ctx.lineTo(x(layer + 1) - half(layer + 1), y(layer + 1, bin[i + 2]));
    }
    ctx.stroke();
  });
  ctx.globalAlpha = 1;

  drawMaps(view, neurons, shown, colours, (column) =>
    [x(column) - size / 2, y(column, 0) - size / 2, size, pitch]);
  for (const column of [0, counts.length - 1]) {
    for (let unit = 0; unit < counts[column]; unit += 1) {
      const one = column === 0 || counts[column] === 1;
      dot(ctx, x(column), y(column, unit), 5, one ? colours.ink : colours.classes[unit]);
    }
  }
  for (let unit = 0; unit < counts[0]; unit += 1) {
    write(ctx, names[unit] ?? `x${unit + 1}`, left - 10, y(0, unit) + 4, colours.ink, "right");
  }
  shown.forEach((units, hidden) => {
    const { units: all, activation } = layers[hidden];
    const some = units.length < all && gap > 54 ? `${units.length} of ${all}` : String(all);
    write(ctx, some, x(hidden + 1), 13, colours.ink, "center");
    if (gap > 44) write(ctx, activation, x(hidden + 1), 27, colours.muted, "center");
  });
}

/** Fills the atlas, a strip for each layer, and lays each strip over its column. */
function drawMaps(view, neurons, shown, colours, place) {
  if (!neurons) return;
  const tall = Math.max(...shown.map((units) => units.length)) * (MAP + GAP);
  const { canvas, ctx: inner, image, words } = view.raster(shown.length * MAP, tall);
  let map = 0;
  words.fill(0);
  shown.forEach((units, column) => units.forEach((_, unit) => {
    for (let pixel = 0; pixel < MAP * MAP; pixel += 1) {
      const row = unit * (MAP + GAP) + Math.floor(pixel / MAP);
      words[row * image.width + column * MAP + (pixel % MAP)] =
        colours.unit[neurons.bytes[map * MAP * MAP + pixel]];
    }
    map += 1;
  }));
  inner.putImageData(image, 0, 0);
  view.ctx.strokeStyle = colours.bar;
  view.ctx.lineWidth = 1;
  view.ctx.beginPath();
  shown.forEach((units, column) => {
    const [left, top, size, pitch] = place(column + 1);
    const strip = units.length * (MAP + GAP);
    view.ctx.drawImage(canvas, column * MAP, 0, MAP, strip, left, top, size, units.length * pitch);
    const side = (pitch * MAP) / (MAP + GAP);
    units.forEach((_, unit) => view.ctx.rect(left, top + unit * pitch, size, side));
  });
  view.ctx.stroke();
}

/** Training (solid) and validation loss (dashed) over steps, on a log scale. */
export function drawLoss(view, { rows, length }, step, colours) {
  const ctx = view.clear(colours);
  if (!length) return write(ctx, "Losses appear here once training runs.", 12, 24, colours.muted);
  const [left, right, top, bottom] = [46, view.width - 84, 10, view.height - 22];
  const end = rows[3 * (length - 1)] || 1;
  const seen = rows.subarray(0, 3 * length).filter((v, i) => i % 3 && v > 0 && v < Infinity);
  let [low, high] = seen.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [1e30, 1e-30]);
  [low, high] = low > high ? [-1, 0] : [Math.log10(low) - 0.08, Math.log10(high) + 0.08];
  const x = (at) => left + (at / end) * (right - left);
  const y = (loss) => bottom - ((Math.log10(loss) - low) / (high - low)) * (bottom - top);
  ctx.lineWidth = 1;
  ctx.strokeStyle = colours.grid;
  ctx.beginPath();
  const every = Math.ceil((high - low) / 5);
  for (let power = Math.floor(low); power <= high; power += every) {
    for (const digit of high - low < 1.6 ? [1, 2, 5] : [1]) {
      const level = y(digit * 10 ** power);
      if (level > bottom || level < top) continue;
      ctx.moveTo(left, level);
      ctx.lineTo(right, level);
      const value = power < 4 ? short(digit * 10 ** power) : `${digit}e${power}`;
      write(ctx, value, left - 6, level + 4, colours.muted, "right");
    }
  }
  ctx.stroke();
  write(ctx, "0", left, view.height - 6, colours.muted);
  write(ctx, `step ${short(rows[3 * (length - 1)])}`, right, view.height - 6, colours.muted, "right");
  const stride = Math.max(1, Math.floor(length / (right - left)));
  const ends = [];
  for (const [column, colour, dash] of [[1, colours.ink, []], [2, colours.validation, [5, 3]]]) {
    ctx.beginPath();
    let last = null;
    let place = 0;
    for (let i = 0; i < length; i = i < length - 1 ? Math.min(i + stride, length - 1) : length) {
      const loss = rows[3 * i + column];
      if (!(loss > 0 && loss < Infinity)) continue;
      if (last === null) ctx.moveTo(x(rows[3 * i]), y(loss));
      else ctx.lineTo(x(rows[3 * i]), y(loss));
      [last, place] = [loss, x(rows[3 * i])];
    }
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.7;
    ctx.setLineDash(dash);
    ctx.stroke();
    ends.push(last && y(last));
    if (last) dot(ctx, place, y(last), 2.5, colour);
  }
  ctx.setLineDash([]);
  if (ends[0] && ends[1] && Math.abs(ends[0] - ends[1]) < 14) {
    const [middle, half] = [(ends[0] + ends[1]) / 2, ends[0] <= ends[1] ? 7 : -7];
    [ends[0], ends[1]] = [middle - half, middle + half];
  }
  if (ends[0]) write(ctx, "training", right + 6, ends[0] + 4, colours.ink);
  if (ends[1]) write(ctx, "validation", right + 6, ends[1] + 4, colours.validation);
  if (step < end) {
    ctx.fillStyle = colours.ink;
    ctx.fillRect(x(step) - 0.5, top, 1, bottom - top);
  }
}

/** One bar a layer: the norm of its gradient, on a log scale; beside it what explains it. */
export function drawLadder(view, layers, colours) {
  const ctx = view.clear(colours);
  const wide = view.width > 380;
  const [left, right, middle] = wide ? [70, view.width - 200, view.width - 102]
    : [60, view.width - 136, view.width - 76];
  const pitch = Math.min(30, (view.height - 24) / layers.length);
  const powers = layers.map((layer) => Math.log10(layer.gradient_norm ?? 10) || -12);
  const low = Math.max(-12, Math.min(-6, ...powers.map(Math.floor)));
  const high = Math.min(12, Math.max(1, ...powers.map(Math.ceil)));
  const x = (power) => left + ((power - low) / (high - low)) * (right - left);
  ctx.fillStyle = colours.grid;
  for (let power = low; power <= high; power += 1) {
    ctx.fillRect(x(power), 18, 1, pitch * layers.length + 4);
  }
  write(ctx, `1e${low}`, x(low), 13, colours.muted, "center");
  write(ctx, "1", x(0), 13, colours.muted, "center");
  write(ctx, wide ? "update : weight" : "upd : w", middle, 13, colours.muted, "right");
  layers.forEach((layer, row) => {
    const y = 20 + (row + 0.5) * pitch;
    const power = layer.gradient_norm === null ? high : Math.max(low, Math.min(high, powers[row]));
    ctx.fillStyle = colours.bar;
    ctx.fillRect(left, y - pitch * 0.3, x(power) - left, pitch * 0.6);
    write(ctx, layer.name, 2, y + 4, colours.ink);
    write(ctx, short(layer.update_ratio), middle, y + 4, colours.ink, "right");
    const [share, word] = layer.dead === null ? [layer.saturated, wide ? "saturated" : "sat."] : [layer.dead, "dead"];
    if (share === null) return;
    write(ctx, `${Math.round(share * 100)} % ${word}`, view.width - 2, y + 4, colours.ink, "right");
  });
}

/** Says in words what colours and marks mean. */
export function legend(host, data, colours) {
  const entry = (text, kind, colour) => {
    const mark = Object.assign(document.createElement("i"), { className: `mark ${kind}` });
    if (colour) mark.style.background = colour;
    const item = document.createElement("span");
    item.append(mark, text);
    return item;
  };
  const [low, high] = data.range;
  const scale = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    entry(share % 0.5 ? "" : short(low + share * (high - low)), "box", colours.of(share)));
  host.replaceChildren(
    ...(data.classes.length ? data.classes.map((name, i) => entry(name, "box", colours.classes[i]))
      : scale),
    entry("training", "full"), entry("validation", "ring"),
    ...(data.classes.length === 2 ? [entry("p = 0.5", "line")] : []));
}

/** Asks for frames and draws those views that are on the screen: at most one question at a time. */
export class Show {
  data = null;
  names = [];
  edges = "weight";
  curve = new Curve();
  sights = {}; // the newest of each section
  drawn = 0;

  /**
   * @param {Object<string, HTMLCanvasElement>} canvases any of boundary, network, loss, ladder
   * @param {(query: object) => Promise<DataView>} ask
   * @param {(sights: object) => void} told called with every frame, before it is drawn
   * @param {(error: Error) => void} failed called when an answer does not come; start() goes on
   */
  constructor(canvases, ask, told, failed) {
    Object.assign(this, { ask, told, failed });
    const changed = () => this.poke();
    this.views = Object.fromEntries(Object.entries(canvases).map(([name, canvas]) =>
      [name, new View(canvas, changed)]));
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.seen = changed;
    document.addEventListener("visibilitychange", this.seen);
  }

  /** Begins, or goes on after a failure. */
  start() {
    this.open = true;
    this.poke();
  }

  /** Something has changed: ask soon for everything, and draw again. */
  poke() {
    this.rest = null;
    this.poked = true;
    clearTimeout(this.timer);
    this.timer = null;
    this.schedule();
  }

  schedule() {
    this.next ??= requestAnimationFrame(() => {
      this.next = null;
      this.draw();
      this.missed = this.asking; // then the answer, once it comes, asks for the next at once
      if (!this.asking && !this.timer) this.question();
    });
  }

  wanted() {
    const { boundary, network } = this.views;
    return [...(boundary?.visible ? ["boundary"] : []),
      ...(network?.visible ? ["neurons", "edges"] : [])];
  }

  async question() {
    if (!this.open || document.hidden) return;
    const views = this.rest ? [] : this.wanted();
    const side = this.sights.running ? 128 : 256;
    [this.asking, this.missed, this.poked] = [true, false, false];
    this.schedule();
    try {
      const frame = decode(await this.ask({ views: views.join(), since: this.curve.length, side,
        edges: this.edges }));
      this.take(frame, this.wanted().join() === views.join() && side === 256);
    } catch (error) {
      this.open = false;
      this.failed(error);
    }
    this.asking = false;
    const wait = this.rest || !this.wanted().length ? REST : this.calm.matches ? 500 : 0;
    this.schedule();
    if (wait && !this.poked) {
      this.timer = setTimeout(() => {
        this.timer = null;
        this.question();
      }, wait);
    } else if (this.missed) this.question();
  }

  /** Keeps what came; once all is still and has been drawn finely, `rest` says what of. */
  take(frame, fine) {
    const { state } = frame;
    const still = [state.step, state.status, state.settings, state.net, state.data].join();
    if (frame.curve) this.curve.take(state.curve, frame.curve);
    Object.assign(this.sights, frame);
    this.rest = !frame.running && !this.poked && (fine || this.rest === still) ? still : null;
    this.fresh = true;
    this.told(this.sights);
  }

  draw() {
    if (!this.sights.state || !this.colours) return;
    const { boundary, network, loss, ladder } = this.views;
    const { sights, colours } = this;
    const now = performance.now();
    if (this.fresh) this.drawn += 1;
    this.fresh = false;
    if (boundary?.visible) {
      drawBoundary(boundary, sights.boundary, this.data, colours);
      this.over?.(boundary);
    }
    if (network?.visible) drawNetwork(network, sights, this.names, colours);
    if (loss?.visible) drawLoss(loss, this.curve, sights.state.step, colours);
    if (ladder?.visible && (!sights.running || now - (this.laddered ?? 0) > 100)) {
      this.laddered = now; // ten times a second: faster, nobody could read its numbers
      drawLadder(ladder, sights.state.layers, colours);
    }
  }

  close() {
    this.open = false;
    document.removeEventListener("visibilitychange", this.seen);
    Object.values(this.views).forEach((view) => view.close());
  }
}

const STYLE = `
.fastnn-live { font: 14px/1.4 ${FONT}; color-scheme: light dark; }
.fastnn-live canvas { display: block; width: 100%; margin-top: 8px; }
.fastnn-live .views { display: grid; gap: 8px 16px; }
.fastnn-live .views { grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); }
.fastnn-live .boundary { aspect-ratio: 1; max-width: 460px; }
.fastnn-live .network { height: 320px; } .fastnn-live .loss { height: 200px; }
.fastnn-live .ladder { height: 180px; }
.fastnn-live button { font: inherit; margin-right: 6px; padding: 4px 12px; }
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

/** The widget of a notebook: the views of `show`, and buttons to run, step and start again. */
function render({ model, el }) {
  const make = (tag, properties, ...children) => {
    const found = Object.assign(document.createElement(tag), properties);
    found.append(...children);
    return found;
  };
  let answer = null;
  const ask = (query) => new Promise((resolve) => {
    answer = resolve;
    model.send({ type: "frame", ...query, views: query.views ? query.views.split(",") : [] });
  });
  const heard = (content, buffers) => content.type === "frame" && answer?.(buffers[0]);
  const names = model.get("show") ?? Object.keys(TALK);
  const canvases = Object.fromEntries(names.map((name) =>
    [name, make("canvas", { className: name, role: "img", ariaLabel: TALK[name] })]));
  const run = make("button", { textContent: "Run" });
  const text = make("span", { role: "status" });
  const key = make("div", { className: "legend" });
  const show = new Show(canvases, ask, ({ running, state }) => {
    run.textContent = running ? "Pause" : "Run";
    text.textContent = `step ${short(state.step)}, loss ${short(state.loss)}`;
  }, () => {});
  const act = (message) => {
    model.send(message);
    show.poke();
  };
  run.onclick = () => act({ type: "run", running: !show.sights.running });
  const button = (label, message) =>
    make("button", { textContent: label, onclick: () => act(message) });
  const redraw = () => {
    let behind = el; // notebooks have themes of their own: go by the colour behind
    while (behind && getComputedStyle(behind).backgroundColor.match(/, 0\)|transparent/)) {
      behind = behind.parentElement ?? behind.getRootNode().host;
    }
    const [r, g, b] = behind ? getComputedStyle(behind).backgroundColor.match(/[\d.]+/g) : [255, 255, 255];
    show.colours = palette(+r + +g + +b < 384);
    show.data = model.get("data");
    show.names = show.data?.axes ?? [];
    if (show.data && canvases.boundary) legend(key, show.data, show.colours);
    show.poke();
  };
  el.append(make("div", { className: "fastnn-live" }, make("style", { textContent: STYLE }),
    run, button("Step", { type: "step", n: 1 }), button("Step 100", { type: "step", n: 100 }),
    button("Reset", { type: "reset" }), text,
    make("div", { className: "views" }, ...Object.values(canvases)), key));
  model.on("msg:custom", heard);
  model.on("change:data", redraw);
  redraw();
  show.start();
  return () => {
    model.off("msg:custom", heard);
    model.off("change:data", redraw);
    show.close();
  };
}

export default { render };
