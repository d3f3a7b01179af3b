// @ts-check
// What a run comes to, in a sentence: the last verdict of each variant, with a sign and a word for its colour.
import { el, say } from '../page/dom.js';
import { split, VariantOrder } from '../run/lanes.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

const words = { good: 'Good', warn: 'Mind', bad: 'Bad' };

export class Verdicts {
  #box;
  /** @type {Map<string, Event>} by variant */
  #last = new Map();
  #order = new VariantOrder();
  #changed = true;

  /** @param {HTMLElement} box */
  constructor(box) { this.#box = box; }

  reset() {
    this.#last = new Map();
    this.#order = new VariantOrder();
    this.#changed = true;
  }

  /** @param {Event} event */
  push(event) {
    this.#order.meet(event.from);
    if (event.kind !== 'note' || !event.attrs?.verdict) return;
    this.#last.set(event.from ?? '', event);
    this.#changed = true;
  }

  draw() {
    if (!this.#changed) return;
    this.#changed = false;
    this.#box.hidden = this.#last.size === 0;
    const all = this.#order.sort([...this.#last], ([lane]) => lane);
    if (this.#box.children.length !== all.length) {
      this.#box.replaceChildren(...all.map(() => el('p', { class: 'verdict', 'data-testid': 'verdict' }, el('span', { class: 'light', 'aria-hidden': 'true' }), el('b'), ' ', el('span'))));
    }
    all.forEach(([lane, event], i) => {
      const line = /** @type {HTMLElement} */ (this.#box.children[i]), [, word, text] = line.children;
      const kind = /** @type {keyof typeof words} */ (event.attrs?.verdict ?? 'warn');
      line.dataset.tone = kind in words ? kind : 'warn';
      const who = split(`${lane}/`).variant || lane;
      say(word, `${words[kind] ?? words.warn}${who ? `, ${who}` : ''}:`);
      say(text, event.text ?? '');
    });
  }
}
