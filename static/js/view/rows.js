// @ts-check
// From recorded events to the rows of a ladder. No DOM.
import { Lanes } from '../run/lanes.js';
import { quantity } from './quantity.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/**
 * @typedef {object} Row
 * @property {'arrow'|'mark'|'begin'|'end'|'gap'|'note'} kind
 * @property {number} at milliseconds since the start
 * @property {number} arrive when an arrow ends; the same as at where nobody measured it
 * @property {string} layer
 * @property {number} from lane, by index
 * @property {number} to lane, by index; the same as from unless it is an arrow
 * @property {string} text
 * @property {string} variant of a note
 * @property {boolean} lost it never arrived
 * @property {boolean} again it was sent before
 * @property {Event|null} event
 */

/** A silence longer than this gets a row of its own, in milliseconds. */
const silence = 1000;

export class Rows {
  /** @type {Row[]} */
  list = [];
  /** the longest that any message was on its way, in milliseconds */
  slowest = 0;
  #lanes;
  #grow;
  #hidden;
  #peer;
  #without;
  #last = 0;
  /** @type {Map<number, number>} when each open span began */
  #open = new Map();

  /**
   * @param {string[]|null} lanes from left to right; null: all there are, as they turn up
   * @param {Set<string>} hidden layers that are not shown
   * @param {string} [peer] what is about another one is left out
   * @param {Set<string>} [without] variants that are not shown
   */
  constructor(lanes, hidden, peer = '', without = new Set()) {
    this.#lanes = new Lanes(lanes ?? [], without, lanes !== null);
    this.#grow = lanes === null;
    this.#hidden = hidden;
    this.#peer = peer;
    this.#without = without;
  }

  get lanes() { return this.#lanes; }

  /** Takes an event; false when it is not for these lanes. @param {Event} event @returns {boolean} */
  add(event) {
    if (event.kind === 'sample') return false; // the charts have those
    const layer = event.layer ?? 'app', about = event.attrs?.peer;
    if (about && this.#peer && about !== this.#peer) return false;
    if (this.#grow) this.#meet(event);
    if (this.#hidden.has(layer)) return false;
    const at = event.at_ns / 1e6;
    const [kind, text] = this.#say(event, at);
    const from = event.from ? this.#lanes.find(event.from) : 0;
    const to = event.to ? this.#lanes.find(event.to) : from;
    if (kind !== 'note' && (from < 0 || to < 0)) return false;
    const { variant } = this.#lanes.split(event.from ? event.from + (kind === 'note' ? '/' : '') : '');
    if (this.#without.has(variant)) return false;
    if (this.list.length > 0 && at - this.#last > silence) {
      this.list.push({ ...blank, kind: 'gap', at, arrive: at, text: `${((at - this.#last) / 1000).toFixed(1)} s of silence` });
    }
    this.#last = at;
    const took = kind === 'arrow' && !event.lost ? Math.max(0, event.took_ns ?? 0) / 1e6 : 0;
    this.slowest = Math.max(this.slowest, took);
    this.list.push({ kind, at, arrive: at + took, layer, from, to, text, variant, lost: event.lost === true, again: isAgain(event), event });
    return true;
  }

  /**
   * Where a moment lies among the rows, as a row number with a fraction: time
   * runs down, but each event takes one row.
   * @param {number} at milliseconds
   */
  place(at) {
    const list = this.list;
    let low = 0, high = list.length; // the first row after that moment
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle].at <= at) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return 0;
    if (low === list.length) return low - 0.35;
    const before = list[low - 1].at;
    return low - 1 + (at - before) / (list[low].at - before);
  }

  /** The first row that may still reach down to this one. @param {number} row */
  reaching(row) {
    if (this.slowest === 0 || row <= 0 || row >= this.list.length) return row;
    return Math.min(row, Math.floor(this.place(this.list[row].at - this.slowest - 0.001)));
  }

  /** Lanes are made by what happens on them, not by what is said about them. @param {Event} event */
  #meet({ kind, from, to }) {
    if (kind === 'note' || kind === 'fact') return;
    if (from) this.#lanes.add(from);
    if (to && kind === 'message') this.#lanes.add(to);
  }

  /** @param {Event} event @param {number} at @returns {[Row['kind'], string]} */
  #say(event, at) {
    // The lane already says whom it is about.
    const name = (event.name ?? '').replace(` (${this.#peer})`, ''), text = event.text ?? '';
    switch (event.kind) {
      case 'message':
        return [event.to && event.to !== event.from ? 'arrow' : 'mark', [name, name.includes(text) ? '' : brief(text)].filter(Boolean).join(' ')];
      case 'span': {
        const key = event.span ?? 0, begun = this.#open.get(key);
        if (begun === undefined) {
          this.#open.set(key, at);
          return ['begin', name];
        }
        this.#open.delete(key);
        return ['end', `${name} ${text || 'ended'}, ${(at - begun).toFixed(0)} ms`];
      }
      case 'state':
        return ['mark', name.toLowerCase() === event.layer ? text || 'gone' : `${name}: ${text || 'gone'}`];
      case 'fact':
        return [this.#aside(event), `${name} = ${quantity(event.value ?? 0, event.unit ?? '')}`];
      default:
        return [this.#aside(event), text || name];
    }
  }

  /** What is on no lane stands across all of them. @param {Event} event @returns {Row['kind']} */
  #aside({ from }) {
    return !this.#grow || from && this.#lanes.find(from) >= 0 ? 'mark' : 'note';
  }
}

/** @type {Row} */
const blank = { kind: 'gap', at: 0, arrive: 0, layer: '', from: 0, to: 0, text: '', variant: '', lost: false, again: false, event: null };

/** Somebody sends what was sent before: the sender says so in words. @param {Event} event */
export function isAgain({ kind, name = '', text = '', attrs }) {
  return kind === 'message' && (/\bretransmission\b/.test(name) || /\bretransmission\b/.test(text) || attrs?.retransmission !== undefined);
}

/** What fits beside a name: a candidate as type and address, other text when it is one short line. @param {string} text */
function brief(text) {
  const [, protocol, address, port, type] = / (udp|tcp) \d+ (\S+) (\d+) typ (\w+)/i.exec(text) ?? [];
  if (type) return `${type} ${address.length > 24 ? address.slice(0, 8) + '….local' : address}:${port} ${protocol.toLowerCase()}`;
  return text.length < 80 && !text.includes('\n') ? text : '';
}
