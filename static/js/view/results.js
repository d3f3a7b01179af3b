// @ts-check
// From facts to cards: one for each name, the variants' results in it side by
// side. A later fact replaces an earlier one. No DOM.

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {{who: string, value: number, unit: string, text: string}} Result */
/** @typedef {{name: string, results: Result[]}} Card */

export class Results {
  /** @type {Map<string, Map<string, Result>>} */
  #cards = new Map();

  /** @param {Event} event */
  add(event) {
    if (event.kind !== 'fact') return false;
    const name = event.name ?? '', who = event.from ?? '';
    let card = this.#cards.get(name);
    if (!card) this.#cards.set(name, card = new Map());
    card.set(who, { who, value: event.value ?? 0, unit: event.unit ?? '', text: event.text ?? '' });
    return true;
  }

  /** @returns {Card[]} */
  get cards() { return [...this.#cards].map(([name, results]) => ({ name, results: [...results.values()] })); }
}
