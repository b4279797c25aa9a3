// The list of channels whose curves are drawn: check, find, or take the liveliest or the worst.
import { $, element } from "./dom.js";

export class ChannelList {
  constructor(showing) {
    this.showing = showing;
    this.rows = new Map();
    this.list = $("channels");
    this.filter = $("filter");
    this.filter.addEventListener("input", () => this.find());
    $("liveliest").addEventListener("click", () => showing.choose(showing.liveliest()));
    $("none").addEventListener("click", () => showing.choose([]));
    const worst = $("worst");
    worst.hidden = showing.target === null;
    worst.addEventListener("click", () =>
      showing.choose(showing.ranked.slice(0, showing.preset).map(({ name }) => name)),
    );
    for (const { title, names } of showing.groups) this.addGroup(title, names);
    this.update();
  }

  addGroup(title, names) {
    const present = names.filter((name) => this.showing.takesWith(name).length);
    if (!present.length) return;
    const rows = present.map((name) => {
      const box = element("input", { type: "checkbox" });
      box.addEventListener("change", () => this.showing.toggle(name));
      const [bar, number] = [element("i", { className: "bar-of" }), element("span", { className: "number soft" })];
      const row = element("label", { className: "channel" }, box, element("span", {}, name), bar, number);
      this.rows.set(name, { row, box, bar, number });
      return row;
    });
    this.list.append(element("fieldset", {}, element("legend", {}, title), ...rows));
  }

  update() {
    const errors = new Map(this.showing.ranked.map(({ name, error }) => [name, error]));
    const compared = this.showing.target !== null;
    const numbers = new Map(
      [...this.rows.keys()].map((name) => [name, compared ? errors.get(name) : this.showing.swing(name)]),
    );
    const largest = Math.max(...[...numbers.values()].map((value) => value ?? 0), 1e-6);
    for (const [name, { row, box, bar, number }] of this.rows) {
      box.checked = this.showing.shown.includes(name);
      const value = numbers.get(name);
      bar.style.setProperty("--part", (value ?? 0) / largest);
      number.textContent = value === undefined ? "–" : value.toFixed(3);
      row.title = compared
        ? `${name}: mean error ${number.textContent}`
        : `${name}: standard deviation ${number.textContent}`;
    }
  }

  find() {
    const wanted = this.filter.value.toLowerCase().replace(/[\s_-]/g, "");
    for (const [name, { row }] of this.rows) row.hidden = !name.toLowerCase().includes(wanted);
    for (const group of this.list.children) {
      group.hidden = [...group.querySelectorAll("label")].every((row) => row.hidden);
    }
  }
}
