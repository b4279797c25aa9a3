// The heads on their canvas: where each stands, how they are turned, and what is written over them.
import { element, sample } from "./dom.js";
import { Painter, Pose } from "./head.js";

const DETAIL = [1, 0.65, 0.45]; // of the screen's pixels, while heads move: less where drawing is slow
const SLOW_MS = 50;
const SLOW_FRAMES = 5; // in a row, before there is less detail
const LABEL = 34; // px above a head, for what it is called
const NARROWEST = 0.72; // a cell's width over its height, below which heads go to another row

export class Stage {
  constructor(canvas, labels, mesh, studio, changed) {
    Object.assign(this, { canvas, labels, changed });
    this.painter = new Painter(canvas, mesh, studio);
    this.poses = [];
    this.mesh = mesh;
    this.titles = [];
    this.detail = 0;
    this.slow = 0;
    this.reset();
    this.listen();
    new ResizeObserver(() => this.fit()).observe(canvas);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.painter = new Painter(canvas, mesh, studio);
      this.changed();
    });
  }

  reset() {
    this.camera = { yaw: 0, pitch: 0, zoom: 1 };
    this.changed();
  }

  // titles: [{label, line}], a head each; line: the class of its curve's sample.
  show(titles) {
    this.titles = titles;
    while (this.poses.length < titles.length) this.poses.push(new Pose(this.mesh));
    this.labels.replaceChildren(
      ...titles.map(({ label, line }) => {
        const pill = element("span", { className: "label" }, line ? sample(line) : "", label);
        return pill;
      }),
    );
    this.canvas.setAttribute(
      "aria-label",
      `${titles.map(({ label }) => label).join(", ")}: drag to turn, wheel to zoom`,
    );
    this.fit();
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = Math.min(2, window.devicePixelRatio || 1) * DETAIL[this.detail];
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.cells = cells(this.titles.length, width, height);
    [...this.labels.children].forEach((label, index) => {
      const [left, top, cellWidth] = this.cells[index];
      Object.assign(label.style, {
        left: `${left + cellWidth / 2}px`,
        top: `${top}px`,
        maxWidth: `${cellWidth - 16}px`,
      });
    });
    this.changed();
  }

  // heads: coefficients and turn of each.
  draw(heads) {
    const ratio = this.canvas.width / Math.max(1, this.canvas.clientWidth);
    this.painter.begin();
    heads.forEach(({ coefficients, turn }, index) => {
      const [left, top, width, height] = this.cells[index];
      const cell = [left, this.canvas.clientHeight - top - height, width, height];
      this.poses[index].set(coefficients);
      this.poses[index].turn = turn;
      this.painter.draw(
        this.poses[index],
        cell.map((length) => Math.round(length * ratio)),
        Math.round(LABEL * ratio),
        this.camera,
      );
    });
  }

  // How long a frame of playing took, ms; 0 when it stops: what stands still is drawn in full.
  pace(passed) {
    const before = this.detail;
    this.slow = passed > SLOW_MS ? this.slow + 1 : 0;
    if (!passed) this.detail = 0;
    else if (this.slow >= SLOW_FRAMES) [this.detail, this.slow] = [Math.min(before + 1, DETAIL.length - 1), 0];
    if (this.detail !== before) this.fit();
  }

  turn(yaw, pitch) {
    const camera = this.camera;
    camera.yaw += yaw;
    camera.pitch = Math.max(-1.3, Math.min(1.3, camera.pitch + pitch));
    this.changed();
  }

  zoom(factor) {
    this.camera.zoom = Math.max(0.6, Math.min(5, this.camera.zoom * factor));
    this.changed();
  }

  listen() {
    const { canvas } = this;
    const fingers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const apart = spread(fingers);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      if (fingers.size === 2) this.zoom(spread(fingers) / apart);
      else this.turn((event.clientX - before[0]) * 0.009, (event.clientY - before[1]) * 0.007);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
    }
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
      },
      { passive: false },
    );
    canvas.addEventListener("dblclick", () => this.reset());
  }
}

function spread(fingers) {
  const [[ax, ay], [bx, by]] = [...fingers.values(), [0, 0]];
  return Math.max(1, Math.hypot(ax - bx, ay - by));
}

// [left, top, width, height] of each of `count` heads: as few rows as leave each wide enough.
function cells(count, width, height) {
  let rows = 1;
  while (rows < count && width / Math.ceil(count / rows) / (height / rows) < NARROWEST && width / count < 150)
    rows += 1;
  const columns = Math.ceil(count / rows);
  return Array.from({ length: count }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    return [(column * width) / columns, (row * height) / rows, width / columns, height / rows];
  });
}

// Lines of a transcript, broken at pauses and when they grow long, for the caption.
const PAUSE_S = 0.6;
const LINE_LETTERS = 46;

function captions(words) {
  const lines = [];
  let line = null;
  words.forEach(([text, start, end], index) => {
    const letters = /[⺀-￯]/.test(text) ? 2 : text.length + 1;
    if (!line || start - line.end > PAUSE_S || line.letters + letters > LINE_LETTERS) {
      line = { start, words: [], letters: 0 };
      lines.push(line);
    }
    line.words.push({
      text: line.words.length && needsSpace(words[index - 1][0], text) ? ` ${text}` : text,
      start,
      end,
    });
    line.letters += letters;
    line.end = end;
  });
  return lines;
}

function needsSpace(before, after) {
  return !(/[⺀-￯]$/.test(before) && /^[⺀-￯]/.test(after));
}

export class Caption {
  constructor(place, words) {
    this.place = place;
    this.lines = captions(words);
    this.line = null;
    place.hidden = !words.length;
  }

  draw(time) {
    if (!this.lines.length) return;
    const line = this.lines.findLast(({ start }) => start <= time + 0.15) ?? this.lines[0];
    if (line !== this.line) {
      this.line = line;
      this.place.replaceChildren(...line.words.map(({ text }) => element("span", {}, text)));
    }
    line.words.forEach(({ start, end }, index) => {
      const span = this.place.children[index];
      span.className = time >= start && time < end ? "now" : time >= end ? "said" : "";
    });
  }
}
