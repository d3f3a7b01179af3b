// @ts-check
// Check boxes that leave something out: a layer in its colour, or a variant.
import { el } from '../page/dom.js';

/**
 * @param {HTMLElement} container
 * @param {() => void} changed
 * @param {'layer'|'variant'} kind
 */
export function filter(container, changed, kind = 'layer') {
  /** @type {Set<string>} */
  const hidden = new Set();
  /** @type {Set<string>} */
  const known = new Set();
  return {
    hidden,
    /** Offers one more, if it is new. @param {string} name */
    know(name) {
      if (known.has(name)) return;
      known.add(name);
      const box = el('input', { type: 'checkbox' });
      box.checked = true;
      box.addEventListener('change', () => {
        if (box.checked) hidden.delete(name);
        else hidden.add(name);
        changed();
      });
      container.append(el('label', { class: kind, [`data-${kind}`]: name }, box, el('span', {}, name)));
    },
  };
}
