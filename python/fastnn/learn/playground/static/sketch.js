// Draw your own points: with a finger, a mouse, or the keyboard.

const MOST = 2000;
const APART = 12; // pixels between the points of one stroke

export class Sketch {
  points = [];
  cursor = null; // of the keyboard: x1, x2

  /**
   * @param {HTMLCanvasElement} canvas where one draws
   * @param {{draw: (points: number[][]) => void, speak: (text: string) => void}} page
   */
  constructor(canvas, page) {
    Object.assign(this, { canvas, page, tools: document.getElementById("sketch") });
    this.label = document.getElementById("draw-class");
    this.talk = canvas.getAttribute("aria-label");
    document.getElementById("draw-clear").addEventListener("click", () => this.set([]));
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.active || event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.stroke = null;
      this.touch(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.active && this.stroke) this.touch(event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => { this.stroke = null; });
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.move(null));
  }

  /** Drawing is on or off; takes the server's points where they are others than its own. */
  apply(active, { bounds, points, classes }) {
    this.active = active;
    this.bounds = bounds;
    if (active && points.length !== this.points.length) {
      const label = (target) => Number(/\d*$/.exec(classes[target] ?? Math.round(target))[0]);
      this.points = points.map(([x1, x2, target]) => [x1, x2, label(target)]);
    }
    this.tools.hidden = !active;
    this.canvas.tabIndex = active ? 0 : -1;
    this.canvas.setAttribute("role", active ? "application" : "img");
    this.canvas.setAttribute("aria-label", active ? "Drawing area. Arrow keys move the cursor, "
      + "Enter places a point of the chosen class, 0 to 9 one of that class." : this.talk);
  }

  set(points) {
    this.points = points.slice(-MOST);
    this.page.draw(this.points);
  }

  touch({ offsetX, offsetY }) {
    const [x, y] = this.stroke ?? [Infinity, Infinity];
    if (Math.hypot(offsetX - x, offsetY - y) < APART) return;
    this.stroke = [offsetX, offsetY];
    const [left, right, bottom, top] = this.bounds;
    const within = (share) => Math.min(1, Math.max(0, share));
    this.place(left + within(offsetX / this.canvas.clientWidth) * (right - left),
      top - within(offsetY / this.canvas.clientHeight) * (top - bottom), Number(this.label.value));
  }

  place(x1, x2, label) {
    this.set([...this.points, [Number(x1.toFixed(4)), Number(x2.toFixed(4)), label]]);
  }

  key(event) {
    if (!this.active || event.ctrlKey || event.metaKey || event.altKey) return;
    const [left, right, bottom, top] = this.bounds;
    const [x1, x2] = this.cursor ?? [(left + right) / 2, (bottom + top) / 2];
    const far = event.shiftKey ? 10 : 50;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const label = event.key === "Enter" ? Number(this.label.value)
      : /^[0-9]$/.test(event.key) ? Number(event.key) : null;
    if (way[event.key]) {
      const [dx, dy] = way[event.key];
      this.move([Math.min(right, Math.max(left, x1 + (dx * (right - left)) / far)),
        Math.min(top, Math.max(bottom, x2 + (dy * (top - bottom)) / far))]);
    } else if (label !== null) {
      this.move([x1, x2]);
      this.place(x1, x2, label);
      this.page.speak(`Point of class ${label} at ${x1.toFixed(1)}, ${x2.toFixed(1)}.`);
    } else return;
    event.preventDefault();
  }

  move(cursor) {
    if (!cursor && !this.cursor) return;
    this.cursor = cursor;
    this.page.redraw();
  }

  /** Draws the cursor of the keyboard over the picture. */
  over(ctx, { width, height }, colours) {
    if (!this.cursor) return;
    const [left, right, bottom, top] = this.bounds;
    const x = ((this.cursor[0] - left) / (right - left)) * width;
    const y = ((top - this.cursor[1]) / (top - bottom)) * height;
    for (const [colour, thick] of [[colours.paper, 4], [colours.ink, 1.5]]) {
      ctx.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        ctx.moveTo(x + 4 * dx, y + 4 * dy);
        ctx.lineTo(x + 14 * dx, y + 14 * dy);
      }
      ctx.strokeStyle = colour;
      ctx.lineWidth = thick;
      ctx.stroke();
    }
  }
}
