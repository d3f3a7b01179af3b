// @ts-check
// From facts to cards: one for each name, the variants' results in it side by
// side, in the order in which they turned up in the run: so it is the same one
// on every card. A later fact replaces an earlier one. No DOM.
import { VariantOrder } from '../run/lanes.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {{who: string, value: number, unit: string, text: string}} Result */
/** @typedef {{name: string, results: Result[]}} Card */

export class Results {
  /** @type {Map<string, Map<string, Result>>} */
  #cards = new Map();
  #order = new VariantOrder();

  /** @param {Event} event */
  add(event) {
    this.#order.meet(event.from);
    if (event.kind !== 'fact') return false;
    const name = event.name ?? '', who = event.from ?? '';
    let card = this.#cards.get(name);
    if (!card) this.#cards.set(name, card = new Map());
    card.set(who, { who, value: event.value ?? 0, unit: event.unit ?? '', text: event.text ?? '' });
    return true;
  }

  /** @returns {Card[]} */
  get cards() { return [...this.#cards].map(([name, results]) => ({ name, results: this.#order.sort([...results.values()], (r) => r.who) })); }
}
