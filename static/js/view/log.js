// @ts-check
// Notes, one sentence a line, and the facts between them.
import { el } from '../page/dom.js';
import { time } from './ladder-marks.js';
import { quantity } from './quantity.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

/** Lines in the page; earlier ones are told to be missing. */
const most = 1000;

export class LogView {
  label = 'Log';
  count = 0;
  #list = el('ol', { class: 'log-lines', role: 'log', 'aria-label': 'Notes', tabindex: '0' });
  #missing = el('p', { class: 'muted', hidden: '' });
  #empty = el('p', { class: 'empty' }, 'Nothing has been noted yet.');
  /** @type {Event[]} */
  #fresh = [];

  /** @param {HTMLElement} container */
  constructor(container) { container.append(this.#missing, this.#list, this.#empty); }

  reset() {
    this.count = 0;
    this.#fresh = [];
    this.#list.replaceChildren();
  }

  /** @param {Event} event */
  push(event) {
    if (event.kind !== 'note' && event.kind !== 'fact') return;
    this.count++;
    this.#fresh.push(event);
  }

  draw() {
    this.#empty.hidden = this.count > 0;
    if (this.#fresh.length === 0) return;
    const { scrollTop, clientHeight, scrollHeight } = this.#list, follow = scrollTop + clientHeight >= scrollHeight - 4;
    this.#list.append(...this.#fresh.slice(-most).map((event) => el('li', { 'data-kind': event.kind, 'data-layer': event.layer ?? 'app' },
      el('span', { class: 'mono muted' }, time(event.at_ns / 1e6)), ' ',
      ...(event.from ? [el('strong', {}, event.from), ' '] : []),
      event.kind === 'fact' ? `${event.name} = ${quantity(event.value ?? 0, event.unit ?? '')}` : event.text || event.name || '')));
    this.#fresh = [];
    while (this.#list.children.length > most) this.#list.firstElementChild?.remove();
    const missing = this.count - this.#list.children.length;
    this.#missing.hidden = missing === 0;
    this.#missing.textContent = `${missing} earlier lines are not shown; the JSON has them.`;
    if (follow) this.#list.scrollTop = this.#list.scrollHeight;
  }
}
