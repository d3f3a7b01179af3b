// @ts-check
// Documents as a run produced them, each line with what it means.
import { el } from '../page/dom.js';
import { Documents } from './documents.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

export class DocumentView {
  label = 'Document';
  #documents = new Documents();
  #body = el('div', { class: 'documents' });
  #empty = el('p', { class: 'empty' }, 'Nothing has been explained yet.');
  #drawn = -1;

  /** @param {HTMLElement} container */
  constructor(container) { container.append(this.#body, this.#empty); }

  get count() { return this.#documents.count; }

  reset() {
    this.#documents = new Documents();
    this.#drawn = -1;
  }

  /** @param {Event} event */
  push(event) { this.#documents.add(event); }

  draw() {
    if (this.#drawn === this.count) return;
    this.#drawn = this.count;
    this.#empty.hidden = this.count > 0;
    this.#body.replaceChildren(...this.#documents.all.map(({ name, lines }) => el('section', {},
      el('h3', {}, name.replace('/', ' · ')),
      el('dl', { class: 'explained' }, ...lines.map(([line, meaning]) => el('div', {}, el('dt', {}, line), el('dd', {}, meaning)))))));
  }
}
