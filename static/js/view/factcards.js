// @ts-check
// Results as cards: of variants side by side in one card.
import { el, say } from '../page/dom.js';
import { quantity } from './quantity.js';
import { Results } from './results.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

export class FactCards {
  #results = new Results();
  #box;
  #changed = true;
  /** @type {Map<string, {card: HTMLElement, list: HTMLElement}>} */
  #cards = new Map();

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    box.classList.add('fact-cards');
  }

  reset() {
    this.#results = new Results();
    this.#changed = true;
  }

  /** @param {Event} event */
  push(event) { this.#changed = this.#results.add(event) || this.#changed; }

  draw() {
    if (!this.#changed) return;
    this.#changed = false;
    const cards = this.#results.cards;
    this.#box.hidden = cards.length === 0;
    const names = new Set(cards.map((c) => c.name));
    for (const [name, { card }] of this.#cards) {
      if (names.has(name)) continue;
      card.remove();
      this.#cards.delete(name);
    }
    for (const { name, results } of cards) {
      const { list } = this.#card(name);
      if (list.children.length !== results.length) list.replaceChildren(...results.map(() => el('div', {}, el('dt'), el('dd', {}, el('b'), ' ', el('small')), el('dd', { class: 'hint' }))));
      results.forEach(({ who, value, unit, text }, i) => {
        const [dt, dd, more] = list.children[i].children;
        say(dt, who);
        const [figure, ...words] = quantity(value, unit).split(' ');
        say(dd.children[0], figure);
        // "reads: 7 reads" would say it twice.
        say(dd.children[1], unit && name.split(' ').includes(unit) ? '' : words.join(' '));
        say(more, text);
        /** @type {HTMLElement} */ (more).hidden = text === '';
      });
    }
  }

  /** @param {string} name */
  #card(name) {
    let made = this.#cards.get(name);
    if (!made) {
      const list = el('dl');
      const card = el('div', { class: 'fact-card', 'data-testid': 'fact', 'data-name': name }, el('h3', {}, name), list);
      this.#cards.set(name, made = { card, list });
      this.#box.append(card);
    }
    return made;
  }
}
