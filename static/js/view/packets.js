// @ts-check
// From messages to the lines of a packet list. No DOM.
import { isAgain } from './rows.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/**
 * @typedef {object} Packet
 * @property {number} number
 * @property {Event} event
 * @property {boolean} again
 * @property {string} words all of it in lower case, to search in
 */

export class Packets {
  /** @type {Packet[]} */
  list = [];
  lost = 0;
  again = 0;

  /** @param {Event} event */
  add(event) {
    if (event.kind !== 'message') return false;
    const again = isAgain(event);
    if (event.lost) this.lost++;
    if (again) this.again++;
    const words = [event.layer, event.from, event.to, event.name, event.text, ...Object.entries(event.attrs ?? {}).flat(), event.lost ? 'lost' : ''].join(' ').toLowerCase();
    this.list.push({ number: this.list.length + 1, event, again, words });
    return true;
  }

  /** Those that contain every word of the query. @param {string} query @returns {Packet[]} */
  find(query) {
    const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
    return wanted.length === 0 ? this.list : this.list.filter((p) => wanted.every((w) => p.words.includes(w)));
  }
}

/**
 * Bytes written in hexadecimal as lines of sixteen with their offset and what
 * is printable of them. Empty when it is not that.
 * @param {string} hex
 */
export function dump(hex) {
  const digits = hex.replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})+$/i.test(digits)) return '';
  const bytes = digits.match(/../g) ?? [];
  const lines = [];
  for (let i = 0; i < bytes.length; i += 16) {
    const row = bytes.slice(i, i + 16);
    const text = row.map((b) => { const n = parseInt(b, 16); return n >= 32 && n < 127 ? String.fromCharCode(n) : '·'; }).join('');
    lines.push(`${i.toString(16).padStart(4, '0')}  ${row.join(' ').padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}
