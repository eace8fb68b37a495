// The pictures: boundary, network, losses, gradient ladder, legend, and their colours.

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
export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Shortens a number to what one can read: 0.0312, 12,480, 3.1e-7. */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000 && size < 1e6) return Math.round(value).toLocaleString("en");
  if (size === 0 || (size >= 1e-3 && size < 1000)) return String(+value.toPrecision(3));
  return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
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

/** Points in the colour of their class or number: training filled, validation ringed. */
function paintPoints(ctx, { width, height }, { points, classes, range, axes, bounds }, colours) {
  const [left, right, bottom, top] = bounds;
  const radius = Math.max(2.4, Math.min(4.6, width / 105));
  const colour = (target) => (classes.length ? colours.classes[target % 10]
    : colours.of((target - range[0]) / (range[1] - range[0] || 1)));
  for (const [x1, x2, target, training] of points) {
    ctx.lineWidth = training ? 0.8 : 1.8;
    ctx.fillStyle = training || !classes.length ? colour(target) : colours.paper;
    ctx.strokeStyle = !classes.length ? colours.ink : training ? colours.paper : colour(target);
    ctx.beginPath();
    ctx.arc(((x1 - left) / (right - left)) * width, ((top - x2) / (top - bottom)) * height,
      radius, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  }
  ctx.font = `600 12px ${FONT}`;
  ctx.lineWidth = 3;
  ctx.strokeStyle = colours.paper;
  for (const [text, x, y, align] of [
    [`${axes[0]} → ${short(right)}`, width - 8, height - 8, "right"],
    [`${short(left)}, ${short(bottom)}`, 8, height - 8, "left"],
    [`${short(top)} ↑ ${axes[1]}`, 8, 18, "left"]]) {
    ctx.textAlign = align;
    ctx.strokeText(text, x, y);
    write(ctx, text, x, y, colours.ink, align);
  }
}

/** What the network says of every place, the line where it changes its mind, and the points. */
export function drawBoundary(view, grid, data, colours) {
  const ctx = view.clear(colours);
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
    if (data?.classes.length) traceBorder(ctx, grid, view.width, view.height);
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
  if (!shown.length) return;
  const tall = Math.max(...shown.map((units) => units.length)) * (MAP + GAP);
  const { canvas, ctx: inner, image, words } = view.raster(shown.length * MAP, tall);
  let from = 0;
  words.fill(0);
  shown.forEach((units, column) => units.forEach((_, unit) => {
    for (let pixel = 0; pixel < MAP * MAP; pixel += 1, from += 1) {
      const row = unit * (MAP + GAP) + Math.floor(pixel / MAP);
      words[row * image.width + column * MAP + (pixel % MAP)] = colours.unit[neurons.bytes[from]];
    }
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
  if (!length) return;
  const [left, right, top, bottom] = [46, view.width - 84, 10, view.height - 22];
  const last = rows[3 * (length - 1)];
  const whole = (loss) => loss > 0 && loss < Infinity;
  let [least, most] = [Infinity, 0];
  rows.forEach((value, i) => {
    if (i % 3 === 0 || !whole(value)) return;
    least = Math.min(least, value);
    most = Math.max(most, value);
  });
  const [low, high] = least > most ? [-1, 0] : [Math.log10(least) - 0.08, Math.log10(most) + 0.08];
  const x = (at) => left + (at / (last || 1)) * (right - left);
  const y = (loss) => bottom - ((Math.log10(loss) - low) / (high - low)) * (bottom - top);
  const digits = high - low < 0.5 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : high - low < 1.6 ? [1, 2, 5] : [1];
  for (let power = Math.floor(low); power <= high; power += Math.ceil((high - low) / 5)) {
    for (const digit of digits) {
      const level = y(digit * 10 ** power);
      if (level > bottom || level < top) continue;
      const text = power < 4 ? short(digit * 10 ** power) : `${digit}e${power}`;
      write(ctx, text, left - 6, level + 4, colours.muted, "right");
      ctx.fillStyle = colours.grid;
      ctx.fillRect(left, level, right - left, 1);
    }
  }
  write(ctx, "0", left, view.height - 6, colours.muted);
  write(ctx, `step ${short(last)}`, right, view.height - 6, colours.muted, "right");
  const stride = Math.max(1, Math.floor(length / (right - left)));
  const ends = [[1, "training", colours.ink], [2, "validation", colours.validation]].map(
    ([column, name, colour]) => {
      const places = [];
      for (let i = length - 1; i >= 0; i -= stride) {
        if (whole(rows[3 * i + column])) places.push([x(rows[3 * i]), y(rows[3 * i + column])]);
      }
      ctx.beginPath();
      places.forEach((place) => ctx.lineTo(...place));
      ctx.strokeStyle = colour;
      ctx.lineWidth = 1.7;
      ctx.setLineDash(column === 2 ? [5, 3] : []);
      ctx.stroke();
      if (places.length) dot(ctx, ...places[0], 2.5, colour);
      return { name, colour, at: places[0]?.[1] };
    });
  ctx.setLineDash([]);
  const apart = Math.max(0, 14 - Math.abs(ends[0].at - ends[1].at)) / 2; // NaN without both
  const up = ends[0].at <= ends[1].at ? -1 : 1;
  ends.forEach(({ name, colour, at }, i) =>
    write(ctx, name, right + 6, at + 4 + (apart || 0) * (i ? -up : up), colour));
  ctx.fillStyle = colours.ink;
  if (step < last) ctx.fillRect(x(step) - 0.5, top, 1, bottom - top);
}

/** One bar a layer: the norm of its gradient, on a log scale; beside it what explains it. */
export function drawLadder(view, layers, colours) {
  const ctx = view.clear(colours);
  const wide = view.width > 380;
  const silent = wide ? "saturated" : "sat.";
  const [left, right, middle] = wide ? [70, view.width - 200, view.width - 102]
    : [60, view.width - 144, view.width - 84];
  const pitch = Math.min(30, (view.height - 24) / layers.length);
  const powers = layers.map(({ gradient_norm: norm }) => Math.log10(norm ?? 10));
  const low = Math.max(-12, Math.min(-6, ...powers.map(Math.floor)));
  const high = Math.min(12, Math.max(1, ...powers.map(Math.ceil)));
  const x = (power) => left + ((power - low) / (high - low)) * (right - left);
  ctx.fillStyle = colours.grid;
  for (let power = low; power <= high; power += 1) {
    ctx.fillRect(x(power), 18, 1, pitch * layers.length + 4);
  }
  write(ctx, `1e${low}`, x(low), 13, colours.muted, "center");
  if (wide) write(ctx, "1", x(0), 13, colours.muted, "center");
  write(ctx, "update : weight", middle, 13, colours.muted, "right");
  layers.forEach((layer, row) => {
    const y = 20 + (row + 0.5) * pitch;
    const power = layer.gradient_norm === null ? high : Math.max(low, Math.min(high, powers[row]));
    ctx.fillStyle = colours.bar;
    ctx.fillRect(left, y - pitch * 0.3, x(power) - left, pitch * 0.6);
    write(ctx, layer.name, 2, y + 4, colours.ink);
    write(ctx, short(layer.update_ratio), middle, y + 4, colours.ink, "right");
    const [share, word] = layer.dead === null ? [layer.saturated, silent] : [layer.dead, "dead"];
    const text = share === null ? "" : `${Math.round(share * 100)} % ${word}`;
    write(ctx, text, view.width - 2, y + 4, colours.ink, "right");
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
