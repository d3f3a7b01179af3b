// @ts-check
// Buttons and wheel that choose a stretch of time.
import { el } from '../page/dom.js';

/** @typedef {import('./range.js').Range} Range */

/**
 * @param {Range} range @param {HTMLElement} surface where the wheel, with Ctrl, zooms
 * @param {() => void} changed @param {number} [margin] part of the surface's width before the time axis begins
 */
export function rangeTools(range, surface, changed, margin = 0) {
  /** @param {string} text @param {string} label @param {() => void} act */
  const button = (text, label, act) => {
    const made = el('button', { type: 'button', class: 'button small', 'aria-label': label, title: label }, text);
    made.addEventListener('click', () => { act(); changed(); });
    return made;
  };
  surface.addEventListener('wheel', (e) => {
    if (!e.ctrlKey) return;
    e.preventDefault();
    const box = surface.getBoundingClientRect(), left = box.width * margin;
    const part = Math.max(0, Math.min(1, (e.clientX - box.left - left) / (box.width - left)));
    range.zoom(e.deltaY < 0 ? 1.25 : 0.8, range.from + part * (range.to - range.from));
    changed();
  }, { passive: false });
  return el('div', { class: 'view-tools range-tools', role: 'group', 'aria-label': 'Stretch of time' },
    button('+', 'Closer', () => range.zoom(2)), button('−', 'Farther', () => range.zoom(0.5)),
    button('‹', 'Earlier', () => range.pan(-0.25)), button('›', 'Later', () => range.pan(0.25)), button('All', 'The whole run', () => range.fit()));
}

/** The keys that move over a stretch of time. @param {Range} range @param {string} key @param {() => void} changed */
export function rangeKey(range, key, changed) {
  switch (key) {
    case '+': range.zoom(2); break;
    case '-': range.zoom(0.5); break;
    case '0': range.fit(); break;
    case 'ArrowLeft': range.pan(-0.25); break;
    case 'ArrowRight': range.pan(0.25); break;
    default: return false;
  }
  changed();
  return true;
}
