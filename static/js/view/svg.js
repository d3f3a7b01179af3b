// @ts-check
// Making SVG elements, and the one measure everything is drawn in.

const space = 'http://www.w3.org/2000/svg';

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, string|number>} [attrs]
 * @param {...(Node|string)} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(name, attrs = {}, ...children) {
  const made = document.createElementNS(space, name);
  set(made, attrs);
  made.append(...children);
  return made;
}

/**
 * Sets attributes, but writes only what changes: the browser then repaints less.
 * @param {Element} element @param {Record<string, string|number>} attrs
 */
export function set(element, attrs) {
  for (const [name, value] of Object.entries(attrs)) {
    const text = String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** Pixels of a sixteenth of a rem: 1 normally, more for the projector. @returns {number} */
export function unit() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
}

/** Calls back with the width of an element, now and when it changes. @param {Element} element @param {() => void} changed */
export function onWidth(element, changed) {
  let width = -1;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    changed();
  }).observe(element);
}
