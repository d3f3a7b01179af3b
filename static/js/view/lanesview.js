// @ts-check
// The ladder of a lab's run: all its lanes, as they turn up.
import { isCell, isLine, isPublished } from '../run/lanes.js';
import { el, say } from '../page/dom.js';
import { detail } from './detail.js';
import { Ladder } from './ladder.js';
import { filter } from './layers.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

export class LanesView {
  label = 'Lanes';
  #ladder;
  /** @type {Event[]} */
  #events = [];
  #stale = true;
  #layers;
  #variants;
  #variantBox = el('div', { class: 'layers', role: 'group', 'aria-label': 'Variants shown' });
  #count = el('span', { class: 'muted mono' });

  /** @param {HTMLElement} container */
  constructor(container) {
    const button = (/** @type {string} */ text, /** @type {string} */ label, /** @type {number} */ by) => {
      const made = el('button', { type: 'button', class: 'button small', 'aria-label': label, title: label }, text);
      made.addEventListener('click', () => this.#ladder.zoom(by));
      return made;
    };
    const table = el('input', { type: 'checkbox', 'data-testid': 'lanes-table' });
    table.addEventListener('change', () => this.#ladder.asTable(table.checked));
    const layerBox = el('div', { class: 'layers', role: 'group', 'aria-label': 'Layers shown' });
    const box = el('div', { class: 'ladder', tabindex: '0', role: 'region', 'aria-label': 'Sequence of messages; arrow keys go from row to row', 'data-testid': 'lanes' });
    const more = el('div', { class: 'ladder-detail', 'aria-live': 'polite', 'data-testid': 'lanes-detail', hidden: '' });
    container.append(
      el('div', { class: 'view-tools' }, button('+', 'Rows farther apart', 1), button('−', 'Rows closer together', -1),
        el('label', { class: 'check' }, table, el('span', {}, 'as a table')), layerBox, this.#variantBox, el('span', { class: 'spacer' }), this.#count),
      box, more);
    const again = () => { this.#stale = true; this.draw(); };
    this.#layers = filter(layerBox, again);
    this.#variants = filter(this.#variantBox, again, 'variant');
    this.#ladder = new Ladder(box, (row) => detail(more, row?.event ?? null));
  }

  get count() { return this.#events.length; }

  reset() {
    this.#events = [];
    this.#stale = true;
  }

  /** @param {Event} event */
  push(event) {
    // Samples and facts have their own places.
    if (event.kind === 'sample' || event.kind === 'fact' || isPublished(event) || isCell(event) || isLine(event)) return;
    this.#layers.know(event.layer ?? 'app');
    this.#events.push(event);
    if (!this.#stale) this.#ladder.push(event);
  }

  draw() {
    if (this.#stale) {
      this.#stale = false;
      this.#ladder.show({ lanes: null, peer: '', hidden: this.#layers.hidden, without: this.#variants.hidden, events: this.#events, empty: 'Nothing has happened yet.' });
    }
    this.#ladder.draw();
    for (const variant of this.#ladder.variants) if (variant) this.#variants.know(variant);
    this.#variantBox.hidden = this.#variantBox.children.length < 2;
    say(this.#count, `${this.#ladder.length} rows`);
  }

  /** @param {string} key */
  key(key) {
    const by = { '+': 1, '-': -1, 0: 0 }[key];
    if (by !== undefined) this.#ladder.zoom(by);
    return by !== undefined;
  }

  toEnd() { this.#ladder.toEnd(); }
}
