// @ts-check
// From recorded events to the rows of a ladder. No DOM.

/** @typedef {import('../inspect/recorder.js').Event} Event */
/**
 * @typedef {object} Row
 * @property {'arrow'|'mark'|'begin'|'end'|'gap'} kind
 * @property {number} at milliseconds since the start
 * @property {string} layer
 * @property {number} from lane, by index
 * @property {number} to lane, by index; the same as from unless it is an arrow
 * @property {string} text
 * @property {Event|null} event
 */

/** A silence longer than this gets a row of its own, in milliseconds. */
const silence = 1000;

export class Rows {
  /** @type {Row[]} */
  list = [];
  /** @type {string[]} lanes from left to right */
  lanes;
  #hidden;
  #last = 0;
  /** @type {Map<number, number>} when each open span began */
  #open = new Map();

  #peer;

  /** @param {string[]} lanes @param {Set<string>} hidden layers that are not shown @param {string} peer what is about another one is left out */
  constructor(lanes, hidden, peer) {
    this.lanes = lanes;
    this.#peer = peer;
    this.#hidden = hidden;
  }

  /** Takes an event; false when it is not for these lanes. @param {Event} event @returns {boolean} */
  add(event) {
    if (event.kind === 'sample') return false; // the charts have those
    const layer = event.layer ?? 'app', about = event.attrs?.peer;
    if (about && this.#peer && about !== this.#peer) return false;
    if (this.#hidden.has(layer)) return false;
    const from = event.from ? this.lanes.indexOf(event.from) : 0;
    const to = event.to ? this.lanes.indexOf(event.to) : from;
    if (from < 0 || to < 0) return false;
    const at = event.at_ns / 1e6;
    if (this.list.length > 0 && at - this.#last > silence) {
      this.list.push({ kind: 'gap', at, layer: '', from: 0, to: 0, text: `${((at - this.#last) / 1000).toFixed(1)} s of silence`, event: null });
    }
    this.#last = at;
    const [kind, text] = this.#say(event, at);
    this.list.push({ kind, at, layer, from, to, text, event });
    return true;
  }

  /** @param {Event} event @param {number} at @returns {[Row['kind'], string]} */
  #say(event, at) {
    // The lane already says whom it is about.
    const name = (event.name ?? '').replace(` (${this.#peer})`, ''), text = event.text ?? '';
    switch (event.kind) {
      case 'message':
        return [event.to && event.to !== event.from ? 'arrow' : 'mark', [name, brief(text)].filter(Boolean).join(' ')];
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
        return ['mark', `${name} = ${event.value ?? ''} ${event.unit ?? ''}`.trim()];
      default:
        return ['mark', text || name];
    }
  }
}

/** What fits beside a name: a candidate as type and address, other text when it is one short line. @param {string} text */
function brief(text) {
  const [, protocol, address, port, type] = / (udp|tcp) \d+ (\S+) (\d+) typ (\w+)/i.exec(text) ?? [];
  if (type) return `${type} ${address.length > 24 ? address.slice(0, 8) + '….local' : address}:${port} ${protocol.toLowerCase()}`;
  return text.length < 80 && !text.includes('\n') ? text : '';
}
