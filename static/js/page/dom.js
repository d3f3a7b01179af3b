// @ts-check
// The few words this site needs to speak to the page with.

/**
 * The element with that id, of that class; the template promises it.
 * @template {Element} T
 * @param {string} id @param {new () => T} type @returns {T}
 */
export function must(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return found;
}

/**
 * @template {Element} T
 * @param {ParentNode} parent @param {string} selector @param {new () => T} type @returns {T}
 */
export function within(parent, selector, type) {
  const found = parent.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} ${selector}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name @param {Record<string, string>} [attrs] @param {...(Node|string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(name, attrs = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attrs)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Sets text only when it differs, so that a selection in it survives. @param {Element} element @param {string} words */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/**
 * A function that runs `work` once, shortly after any number of calls. Not on
 * animation frames: a tab in the background has none, and must stay current.
 * @param {() => void} work @param {number} [wait] milliseconds
 */
export function soon(work, wait = 40) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; work(); }, wait);
  };
}
