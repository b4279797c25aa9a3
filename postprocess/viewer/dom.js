// What the parts of a page share of the document: its elements, its colours and its font, and how it opens.
import { unpacked } from "./bundle.js";

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

// Say what is wrong.
export function trouble(line) {
  $("trouble").textContent = line;
  $("trouble").hidden = false;
}

// make: given what the page is told of itself, and its arrays by name; where it fails, the page says so.
export async function openPage(make) {
  try {
    const about = JSON.parse($("about").textContent);
    make(about, await unpacked($("block").textContent, about.arrays));
  } catch (error) {
    trouble(`${error.message} Open the page in a current Chrome, Edge, Firefox or Safari.`);
    throw error;
  }
}
