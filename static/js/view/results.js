// @ts-check
// From facts to cards: one for each name, the variants' results in it side by
// side, in the order in which they turned up in the run: so it is the same one
// on every card. A later fact replaces an earlier one. No DOM.
import { split } from '../run/lanes.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {{who: string, value: number, unit: string, text: string}} Result */
/** @typedef {{name: string, results: Result[]}} Card */

export class Results {
  /** @type {Map<string, Map<string, Result>>} */
  #cards = new Map();
  /** variants and lanes, by when they turned up @type {Map<string, number>} */
  #turn = new Map();

  /** @param {Event} event */
  add(event) {
    const who = event.from ?? '', turn = split(who).variant || who;
    if (!this.#turn.has(turn)) this.#turn.set(turn, this.#turn.size);
    if (event.kind !== 'fact') return false;
    const name = event.name ?? '';
    let card = this.#cards.get(name);
    if (!card) this.#cards.set(name, card = new Map());
    card.set(who, { who, value: event.value ?? 0, unit: event.unit ?? '', text: event.text ?? '' });
    return true;
  }

  /** @returns {Card[]} */
  get cards() {
    const turn = (/** @type {Result} */ { who }) => this.#turn.get(split(who).variant || who) ?? 0;
    return [...this.#cards].map(([name, results]) => ({ name, results: [...results.values()].sort((a, b) => turn(a) - turn(b)) }));
  }
}
