// The list of channels whose curves are drawn: check, find, or take the liveliest or the worst.
const PRESET = 6;

class ChannelList {
  constructor(clip) {
    this.clip = clip;
    this.rows = new Map();
    this.list = document.getElementById("channels");
    this.filter = document.getElementById("filter");
    this.filter.addEventListener("input", () => this.find());
    document.getElementById("liveliest").addEventListener("click", () => clip.choose(clip.liveliest(PRESET)));
    document.getElementById("none").addEventListener("click", () => clip.choose([]));
    const worst = document.getElementById("worst");
    worst.hidden = clip.target === null;
    worst.addEventListener("click", () => clip.choose(clip.ranked.slice(0, PRESET).map(({ name }) => name)));
    for (const [group, names] of Object.entries(clip.groups)) this.addGroup(group, names);
    this.update();
  }

  addGroup(group, names) {
    const present = names.filter((name) => clip_takes(this.clip, name).length);
    if (!present.length) return;
    const rows = present.map((name) => {
      const box = element("input", { type: "checkbox" });
      box.addEventListener("change", () => this.clip.toggle(name));
      const [bar, number] = [element("i", { className: "bar-of" }), element("span", { className: "number soft" })];
      const row = element("label", { className: "channel" }, box, element("span", {}, name), bar, number);
      this.rows.set(name, { row, box, bar, number });
      return row;
    });
    this.list.append(element("fieldset", {}, element("legend", {}, GROUP_TITLES[group] ?? group), ...rows));
  }

  update() {
    const errors = new Map(this.clip.ranked.map(({ name, error }) => [name, error]));
    const compared = this.clip.target !== null;
    const numbers = new Map([...this.rows.keys()].map((name) => [name, compared ? errors.get(name) : this.clip.swing(name)]));
    const largest = Math.max(...[...numbers.values()].map((value) => value ?? 0), 1e-6);
    for (const [name, { row, box, bar, number }] of this.rows) {
      box.checked = this.clip.shown.includes(name);
      const value = numbers.get(name);
      bar.style.setProperty("--part", (value ?? 0) / largest);
      number.textContent = value === undefined ? "–" : value.toFixed(3);
      row.title = compared ? `${name}: mean error ${number.textContent}` : `${name}: standard deviation ${number.textContent}`;
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
