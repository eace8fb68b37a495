// Asks for frames, decodes them, and has them drawn where they can be seen.

import { FONT, drawBoundary, drawLadder, drawLoss, drawNetwork } from "./draw.js";

const REST = 250; // milliseconds between two questions while nothing moves

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
  rows = new Float32Array();
  version = null;

  get length() {
    return this.rows.length / 3;
  }

  /** Adds what a frame brings; where that does not join on, all is asked for again. */
  take({ start, version }, rows) {
    const joins = start === 0 || (start <= this.length && version === this.version);
    const old = this.rows.subarray(0, joins ? 3 * start : 0);
    this.rows = new Float32Array(joins ? old.length + rows.length : 0);
    this.version = version;
    if (!joins) return;
    this.rows.set(old);
    this.rows.set(rows, old.length);
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

  /** Blank, in CSS pixels; returns what to draw with. */
  clear(colours) {
    const { ctx } = this;
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
    this.fresh ||= !(this.open && this.sights.running); // else the next frame is drawn soon
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
    const resting = this.rest === still;
    this.curve.take(state.curve, frame.curve);
    Object.assign(this.sights, frame);
    this.rest = !frame.running && !this.poked && (fine || resting) ? still : null;
    this.fresh ||= !resting;
    this.told(this.sights);
  }

  draw() {
    if (!this.fresh || !this.sights.state || !this.colours) return;
    const { boundary, network, loss, ladder } = this.views;
    const { sights, colours } = this;
    const now = performance.now();
    this.drawn += 1;
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
