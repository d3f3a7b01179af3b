// @ts-check
// Lanes and the variants they belong to. A lab that does the same thing in
// several ways writes 'naive/server' for the lane server of the variant naive.

/** The lane on which a run publishes where it can be reached from outside. */
export const outside = 'outside';

/** Tells an address for the commands to type, which is not a state to be drawn. @param {import('../inspect/recorder.js').Event} event */
export function isPublished(event) { return event.kind === 'state' && event.from === outside; }

/** Tells a cell of the run's table, which is drawn by the view for it and no other. @param {import('../inspect/recorder.js').Event} event */
export function isCell(event) { return event.kind === 'state' && event.attrs?.grid !== undefined; }

/** Tells a line of a document, which is drawn by the view for these and no other. @param {import('../inspect/recorder.js').Event} event */
export function isLine(event) { return event.kind === 'state' && event.attrs?.line !== undefined; }

/** @param {string} lane @returns {{variant: string, name: string}} */
export function split(lane) {
  const at = lane.indexOf('/');
  return at > 0 ? { variant: lane.slice(0, at), name: lane.slice(at + 1) } : { variant: '', name: lane };
}

/** Variants in the order they turn up; the run itself stands behind them. What they come to would be in another order each time. */
export class VariantOrder {
  /** @type {Map<string, number>} */
  #ranks = new Map();

  /** @param {string} [lane] */
  meet(lane) {
    const { variant } = split(`${lane ?? ''}/`);
    if (variant && !this.#ranks.has(variant)) this.#ranks.set(variant, this.#ranks.size);
  }

  /** @template T @param {T[]} all @param {(one: T) => string} lane @returns {T[]} */
  sort(all, lane) {
    const rank = (/** @type {T} */ one) => this.#ranks.get(split(`${lane(one)}/`).variant) ?? this.#ranks.size;
    return all.sort((a, b) => rank(a) - rank(b));
  }
}

/** Lanes in the order they turn up, and in the order they stand: those of one variant together. */
export class Lanes {
  /** @type {string[]} as they turned up; an index here never changes */
  names = [];
  /** @type {string[]} */
  variants = [];
  /** @type {Map<string, number>} */
  #index = new Map();
  /** @type {{place: number[], count: number}|null} */
  #order = null;
  #hidden;
  #plain;

  /**
   * @param {string[]} [names]
   * @param {Set<string>} [hidden] variants that get no place
   * @param {boolean} [plain] a slash in a name means nothing
   */
  constructor(names = [], hidden = new Set(), plain = false) {
    this.#hidden = hidden;
    this.#plain = plain;
    for (const name of names) this.add(name);
  }

  /** @param {string} lane */
  split(lane) { return this.#plain ? { variant: '', name: lane } : split(lane); }

  /** The index of a lane; -1 when there is none. @param {string} name */
  find(name) { return this.#index.get(name) ?? -1; }

  /** The index of a lane, which is new if need be. @param {string} name */
  add(name) {
    const known = this.#index.get(name);
    if (known !== undefined) return known;
    this.#index.set(name, this.names.length);
    this.#order = null;
    const { variant } = this.split(name);
    if (!this.variants.includes(variant)) this.variants.push(variant);
    return this.names.push(name) - 1;
  }

  /** Where each lane stands from the left, by index (-1: not shown), and how many there are. */
  get order() {
    if (this.#order) return this.#order;
    const place = this.names.map(() => -1);
    let count = 0;
    for (const variant of this.variants) {
      if (this.#hidden.has(variant)) continue;
      this.names.forEach((name, i) => { if (this.split(name).variant === variant) place[i] = count++; });
    }
    return this.#order = { place, count };
  }

  /** Variants shown, each with its first and last place. @returns {{variant: string, first: number, last: number}[]} */
  get groups() {
    const { place } = this.order;
    return this.variants.filter((v) => v && !this.#hidden.has(v)).map((variant) => {
      const places = place.filter((_, i) => this.split(this.names[i]).variant === variant);
      return { variant, first: Math.min(...places), last: Math.max(...places) };
    });
  }
}
