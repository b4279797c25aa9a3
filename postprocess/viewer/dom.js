// What the parts of the page share of the document: its elements, its colours and its font.
export const $ = (id) => document.getElementById(id);

export function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function sample(line) {
  return element("i", { className: `sample line-${line}` });
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// For what is written on canvases: the page's own.
export function font(px) {
  return `${px}px ${getComputedStyle(document.body).fontFamily}`;
}
